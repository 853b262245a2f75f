"""The flight recorder: of the daemon's stream, what belongs to the record of each incident.

It remembers the latest minutes. An incident that is kept gets them, then all that follows until
it is closed. Where it lasts for long, the middle is left out: a piece that does not follow on the
one before begins with a header of its own, so that the whole stays a recording that replays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.codec import to_json
from agent.model.facts import Fact, Started
from agent.model.incident import Incident
from agent.model.outputs import Output
from agent.model.policy import Policy
from agent.model.recording import FORMAT, RecordingHeader
from agent.model.state import Nic, State

BEFORE_SECONDS = 180  # an incident is kept 40 s after it was opened, at the latest
BEFORE_CHARACTERS_MAX = 256 * 1024
STRETCH_SECONDS, STRETCH_CHARACTERS_MAX = 10, 32 * 1024
INCIDENT_CHARACTERS_MAX = 2 * 1024 * 1024
END_CHARACTERS_MAX = 2 * BEFORE_CHARACTERS_MAX  # of it: the last minutes, and the state before them
# A NIC that fails all the time is the same story again and again: so many recordings at once, and
# one more for each time that passes.
RECORDINGS_AT_ONCE_MAX = 12
RECORDING_EARNED_SECONDS = 600
RETRY_SECONDS = 30  # after what could not be written

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Decided:
    """One fact, and what came of it."""

    state_before: State
    state_after: State
    fact: Fact
    outputs: tuple[Output, ...]
    policy: Policy
    after_gap: bool = False  # what came before it was lost


@dataclass(frozen=True)
class Piece:
    """Lines for the recording of an incident."""

    incident_id: str
    text: str
    begins: bool  # it stands by itself, with a header, whatever is in the file before it
    ends: bool  # nothing follows


@dataclass
class _Stretch:
    """Some seconds of the stream, and where decisions stood before them."""

    state: State
    policy: Policy
    began_ns: int
    after_gap: bool
    lines: list[str] = field(default_factory=list)
    characters: int = 0


@dataclass
class _Recording:
    """One that is being made."""

    characters: int = 0
    broken_ns: int | None = None  # since when what was written does not reach up to now
    is_long: bool = False  # only its end is written any more


class Flight:
    """Composes; writes nothing, and knows no time but that of the facts."""

    def __init__(self, version: str) -> None:
        """Nothing has happened yet."""
        self._version = version
        self._stretches: deque[_Stretch] = deque()
        self._recordings: dict[str, _Recording] = {}
        self._refused: set[str] = set()  # there were too many
        self._purse = float(RECORDINGS_AT_ONCE_MAX)
        self._filled_ns: int | None = None

    @property
    def is_idle(self) -> bool:
        """No incident is being recorded."""
        return not self._recordings

    def take(self, decided: Decided, line: str) -> list[Piece]:
        """What is to be written because of this decision; `line` is its RecordingEntry."""
        at_ns = decided.fact.at.boottime_ns
        self._remember(decided, line)
        latest = {i.id: i for i in _latest_of(decided.state_after.nics.values())}
        if isinstance(decided.fact, Started) and decided.fact.restored is not None:
            # What a restart cut off goes on, or is closed by it.
            for incident in _latest_of(decided.fact.restored.nics.values()):
                if incident.kept and incident.closed is None:
                    self._begin(incident.id, at_ns)
        for incident in latest.values():
            if incident.kept and incident.closed is None:
                self._begin(incident.id, at_ns)
        self._refused &= latest.keys()
        pieces = []
        for incident_id, recording in tuple(self._recordings.items()):
            found = latest.get(incident_id)
            is_over = found is None or found.closed is not None
            # What follows on nothing needs a header; the minutes before it are written already.
            added = self._text([self._stretches[-1]]) if decided.after_gap else f"{line}\n"
            if due := self._due(recording, added, at_ns, is_over=is_over):
                text, begins = due
                recording.characters += len(text)
                pieces.append(Piece(incident_id, text, begins, is_over))
            if is_over:
                del self._recordings[incident_id]
        return pieces

    def lost(self, incident_id: str, at_ns: int) -> None:
        """A piece could not be written: in a moment another one begins."""
        recording = self._recordings.get(incident_id)
        if recording is not None:
            recording.broken_ns = at_ns

    def _begin(self, incident_id: str, at_ns: int) -> None:
        if incident_id in self._recordings or incident_id in self._refused:
            return
        earned = (at_ns - (self._filled_ns or at_ns)) / (RECORDING_EARNED_SECONDS * _SECOND_NS)
        self._purse = min(float(RECORDINGS_AT_ONCE_MAX), self._purse + max(0.0, earned))
        self._filled_ns = at_ns
        if self._purse < 1:
            self._refused.add(incident_id)
            return
        self._purse -= 1
        self._recordings[incident_id] = _Recording(broken_ns=at_ns - RETRY_SECONDS * _SECOND_NS)

    def _due(
        self, recording: _Recording, added: str, at_ns: int, *, is_over: bool
    ) -> tuple[str, bool] | None:
        """What is written now, and whether it stands by itself; None: nothing."""
        if recording.broken_ns is not None:
            waited_ns = at_ns - recording.broken_ns
            if waited_ns < RETRY_SECONDS * _SECOND_NS and not is_over:
                return None
            recording.broken_ns = None
            return self._text(self._stretches), True
        room = INCIDENT_CHARACTERS_MAX - END_CHARACTERS_MAX
        recording.is_long = recording.is_long or recording.characters + len(added) > room
        if not recording.is_long:
            return added, False
        return (self._text(self._stretches), True) if is_over else None

    # --- the latest minutes -------------------------------------------------------------------

    def _remember(self, decided: Decided, line: str) -> None:
        at_ns = decided.fact.at.boottime_ns
        now = self._stretches[-1] if self._stretches else None
        is_full = now is not None and (
            at_ns - now.began_ns >= STRETCH_SECONDS * _SECOND_NS
            or now.characters + len(line) > STRETCH_CHARACTERS_MAX
        )
        if now is None or is_full or decided.after_gap:
            now = _Stretch(decided.state_before, decided.policy, at_ns, decided.after_gap)
            self._stretches.append(now)
        now.lines.append(line)
        now.characters += len(line)
        while len(self._stretches) > 1 and self._is_too_much(at_ns):
            self._stretches.popleft()

    def _is_too_much(self, at_ns: int) -> bool:
        characters = sum(stretch.characters for stretch in self._stretches)
        lasted_ns = at_ns - self._stretches[1].began_ns
        return characters > BEFORE_CHARACTERS_MAX or lasted_ns > BEFORE_SECONDS * _SECOND_NS

    def _text(self, stretches: Iterable[_Stretch]) -> str:
        lines: list[str] = []
        for stretch in stretches:
            if not lines or stretch.after_gap:
                header = RecordingHeader(FORMAT, self._version, stretch.policy, stretch.state)
                lines.append(to_json(header))
            lines += stretch.lines
        return "".join(f"{line}\n" for line in lines)


def _latest_of(nics: Iterable[Nic]) -> list[Incident]:
    """Of each NIC: the one that is open is the last."""
    return [nic.incidents[-1] for nic in nics if nic.incidents]
