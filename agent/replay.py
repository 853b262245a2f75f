"""Recorded facts through today's decisions: the same outputs, byte for byte, or where not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.codec import CodecError, from_json, to_json
from agent.decide import decide
from agent.model.policy import Policy
from agent.model.recording import FORMAT, RecordingEntry, RecordingHeader

LINE_CHARACTERS_MAX = 16 * 1024 * 1024


class RecordingError(Exception):
    """A file that is no recording, or one that another version wrote."""


@dataclass(frozen=True)
class Difference:
    """One fact that led to other outputs than recorded."""

    line: int
    fact: str
    recorded: str
    replayed: str


@dataclass(frozen=True)
class Replay:
    """What a replay found."""

    recorded_by: str
    facts: int
    differences: tuple[Difference, ...]
    cut_off: bool  # the last line is incomplete: the daemon was killed while writing it


def replay(path: Path, policy: Policy | None = None) -> Replay:
    """Replay a segment, with its own policy or another one. RecordingError if it is none."""
    lines = _lines(path)
    header = _header(path, lines)
    state, policy = header.state, policy or header.policy
    differences: list[Difference] = []
    facts = 0
    for number, line in lines:
        if not line.endswith("\n"):
            return Replay(header.version, facts, tuple(differences), cut_off=True)
        try:
            entry = from_json(line, RecordingEntry)
        except CodecError as error:
            raise RecordingError(f"{path}:{number}: {error}") from error
        facts += 1
        state, outputs = decide(state, entry.fact, policy)
        replayed = to_json(RecordingEntry(entry.fact, outputs))
        if replayed != line.rstrip("\n"):
            recorded = to_json(entry.outputs)
            differences.append(Difference(number, to_json(entry.fact), recorded, to_json(outputs)))
    return Replay(header.version, facts, tuple(differences), cut_off=False)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            number = 0
            while line := file.readline(LINE_CHARACTERS_MAX):
                number += 1
                yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: {error}") from error


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> RecordingHeader:
    _number, line = next(lines, (0, ""))
    try:
        header = from_json(line, RecordingHeader)
    except CodecError as error:
        raise RecordingError(f"{path}:1: not a recording of nodemend: {error}") from error
    if header.format != FORMAT:
        raise RecordingError(f"{path}:1: format {header.format}; this version reads {FORMAT}")
    return header
