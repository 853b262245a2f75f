"""Who looks over the daemon's shoulder, and what is checked of a whole recording."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.codec import from_json, to_json
from agent.decide import decide
from agent.model.actions import Action
from agent.model.facts import Fact, Started
from agent.model.outputs import Output
from agent.model.policy import Policy
from agent.model.recording import RecordingEntry
from agent.model.state import State
from agent.replay import replay
from agent.report import flight
from agent.report.incident_files import Files, file_of


@dataclass(frozen=True)
class Decided:
    """One fact and what came of it."""

    fact: Fact
    outputs: tuple[Output, ...]
    policy: Policy


class Watch(Protocol):
    """Hears of each decision, and of each action that reaches the actor."""

    def decided(self, before: State, decided: Decided, after: State) -> None: ...
    def carried_out(self, action: Action, state: State, policy: Policy) -> None: ...


class Violation(AssertionError):
    """A rule does not hold; the message says which."""


def check_codec(state: State) -> None:
    if from_json(to_json(state), State) != state:
        raise Violation("the state does not survive its encoding")


def check_replay(recorded: list[Decided]) -> None:
    """The same facts lead to the same outputs, byte for byte."""
    state = State()
    for number, entry in enumerate(recorded):
        if isinstance(entry.fact, Started):
            state = State()
        state, outputs = decide(state, entry.fact, entry.policy)
        if to_json(outputs) != to_json(entry.outputs):
            raise Violation(f"fact {number} leads to other outputs when it is replayed")


def check_incident_files(recorded: list[Decided]) -> None:
    """Each incident that is kept has a file, and that leads to the same outputs."""
    with tempfile.TemporaryDirectory() as folder:
        directory, state = Path(folder), State()
        recorder, files = flight.Flight("1.2.3"), Files(directory)
        wanted: set[str] = set()
        for entry in recorded:
            if isinstance(entry.fact, Started):
                files.close()
                state, recorder = State(), flight.Flight("1.2.3")
            before = state
            state, outputs = decide(before, entry.fact, entry.policy)
            decided = flight.Decided(before, state, entry.fact, outputs, entry.policy)
            for piece in recorder.take(decided, to_json(RecordingEntry(entry.fact, outputs))):
                files.write(piece)
            wanted |= {i.id for nic in state.nics.values() for i in nic.incidents if i.kept}
        files.close()
        if not recorder.is_idle and not any(
            incident.closed is None for nic in state.nics.values() for incident in nic.incidents
        ):
            raise Violation("an incident is recorded that is closed")
        for incident_id in wanted:
            path = file_of(directory, incident_id)
            if not path.exists():
                raise Violation(f"{incident_id} has no recording")
            if found := replay(path).differences:
                raise Violation(f"{path.name} replays otherwise: {found[0]}")
