"""What every decision returns."""

from __future__ import annotations

from typing import TypeAlias

from agent.model.outputs import Output
from agent.model.state import State

Decision: TypeAlias = tuple[State, tuple[Output, ...]]

SECOND_NS = 1_000_000_000
