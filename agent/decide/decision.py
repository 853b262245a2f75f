"""What every decision returns."""

from __future__ import annotations

from typing import TypeAlias

from agent.model.outputs import Output
from agent.model.state import Nic, State

Decision: TypeAlias = tuple[State, tuple[Output, ...]]
NicDecision: TypeAlias = tuple[Nic, tuple[Output, ...]]  # of a rule that concerns one NIC alone

SECOND_NS = 1_000_000_000
