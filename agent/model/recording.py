"""A recording: where decisions began, then each fact with the outputs it led to."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.facts import Fact
from agent.model.outputs import Output
from agent.model.policy import Policy
from agent.model.state import State

FORMAT = 5


@dataclass(frozen=True)
class RecordingHeader:
    """The first line of a segment: everything that the first decision depended on."""

    format: int
    version: str
    policy: Policy
    state: State


@dataclass(frozen=True)
class RecordingEntry:
    """Any further line: a fact, and what was decided on it."""

    fact: Fact
    outputs: tuple[Output, ...]
