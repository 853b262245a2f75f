"""The recorder: a bounded tap on the daemon's stream of facts and outputs.

It writes segments, each replayable by itself (`nodemend replay FILE`), into the runtime
directory: memory, not disk. The oldest segment goes when a new one begins.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from agent.background import Background
from agent.codec import to_json
from agent.model.facts import Fact
from agent.model.outputs import Output
from agent.model.policy import Policy
from agent.model.recording import FORMAT, RecordingEntry, RecordingHeader
from agent.model.state import State
from agent.report.flight import Decided

SEGMENTS_MAX = 64  # a daemon that starts again and again begins one each time
RECORDING_BYTES_MAX = 4 * 1024 * 1024
SEGMENT_CHARACTERS_MAX = 1024 * 1024
# A waiting entry holds on to the state before it, some 2.5 KiB where NICs change all the time; more
# than this would be more than the recording itself holds.
ENTRIES_WAITING_MAX = 2_000
SUFFIX = ".jsonl"


class Recorder:
    """Records in the background; an entry that is lost ends the segment, never falsifies it."""

    def __init__(
        self,
        directory: Path,
        version: str,
        pass_on: Callable[[Decided, str], None] = lambda _decided, _line: None,
    ) -> None:
        """`directory` must exist; `pass_on` gets each decision and its line, and never waits."""
        self._directory = directory
        self._version = version
        self._pass_on = pass_on
        self._file: TextIO | None = None
        self._written = 0
        self._gap = False
        self._number = max(_numbers(directory), default=0)
        self._worker: Background[Decided]
        self._worker = Background("recorder", self._write, ENTRIES_WAITING_MAX)

    def record(
        self,
        state_before: State,
        state_after: State,
        fact: Fact,
        outputs: tuple[Output, ...],
        policy: Policy,
    ) -> None:
        """Queue one decision, with the policy that it was made by."""
        decided = Decided(state_before, state_after, fact, outputs, policy, self._gap)
        accepted = self._worker.offer(decided)
        self._gap = not accepted

    @property
    def dropped_total(self) -> int:
        """Decisions that found the queue full."""
        return self._worker.dropped_total

    @property
    def failure(self) -> str | None:
        """Why the last entry could not be written; None while all is well."""
        return self._worker.failure()

    def close(self, deadline_seconds: float) -> bool:
        """Write what is queued; False where that took too long."""
        finished = self._worker.close(deadline_seconds)
        if finished:
            self._close_segment()
        return finished

    def _write(self, item: Decided) -> None:
        try:
            line = to_json(RecordingEntry(item.fact, item.outputs))
            self._pass_on(item, line)  # first: here it may fail to be written
            if self._file is None or item.after_gap or self._written > SEGMENT_CHARACTERS_MAX:
                self._file = self._new_segment(item)
            self._write_line(self._file, line)
        except Exception:
            # The line may be there in half: whatever follows needs a new segment.
            self._close_segment()
            raise

    def _new_segment(self, item: Decided) -> TextIO:
        self._close_segment()
        self._make_room()
        self._number += 1
        file = self._path(self._number).open("w", encoding="utf-8")
        self._file, self._written = file, 0
        header = RecordingHeader(FORMAT, self._version, item.policy, item.state_before)
        self._write_line(file, to_json(header))
        return file

    def _close_segment(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def _make_room(self) -> None:
        """Remove the oldest segments, so that the next one stays within both bounds."""
        segments = [self._path(number) for number in sorted(_numbers(self._directory))]
        sizes = [segment.stat().st_size for segment in segments]
        while segments and (
            len(segments) >= SEGMENTS_MAX
            or sum(sizes) + SEGMENT_CHARACTERS_MAX > RECORDING_BYTES_MAX
        ):
            segments.pop(0).unlink(missing_ok=True)
            sizes.pop(0)

    def _write_line(self, file: TextIO, text: str) -> None:
        self._written += file.write(text + "\n")
        file.flush()  # a killed daemon leaves its last decisions behind

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:06d}{SUFFIX}"


def _numbers(directory: Path) -> Iterator[int]:
    for path in directory.glob(f"*{SUFFIX}"):
        if path.stem.isdigit():
            yield int(path.stem)
