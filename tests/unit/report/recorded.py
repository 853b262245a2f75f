"""An uplink whose decisions go through the flight recorder, and onto the disk at once."""

from __future__ import annotations

from pathlib import Path

from agent.codec import to_json
from agent.model.actions import Action
from agent.model.facts import Fact, TimeReached
from agent.model.recording import RecordingEntry
from agent.model.verdicts import Verdict
from agent.report.flight import Decided, Flight
from agent.report.incident_files import Files
from tests.unit.decide.test_climb import Climber


class Recorded(Climber):
    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory, self.flight, self.files = directory, Flight("1.2.3"), Files(directory)
        self.gap = False  # what came before was lost
        self.begun: list[Action] = []

    def take(self, fact: Fact) -> list[Verdict]:
        before, policy = self.state, self.policy
        told = super().take(fact)
        decided = Decided(before, self.state, fact, self.outputs, policy, after_gap=self.gap)
        self.gap = False
        self.begun += self.actions()
        line = to_json(RecordingEntry(fact, self.outputs))
        for piece in self.flight.take(decided, line):
            self.files.write(piece)
        return told

    def started_anew(self) -> Recorded:
        """Another daemon, with the same clock and the same disk."""
        again = Recorded(self.directory)
        again.policy, again._seconds = self.policy, self._seconds
        return again

    def let_pass(self, seconds: int) -> None:
        for _ in range(seconds):
            self.take(TimeReached(self.at(), "probe"))

    def recording(self) -> Path:
        (path,) = self.directory.glob("*.jsonl")
        return path
