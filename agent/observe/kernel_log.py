"""The kernel's log from /dev/kmsg, by sequence number: nothing twice, nothing lost unsaid.

Each read gives one record, `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT` and further lines of
properties (Documentation/ABI/testing/dev-kmsg). Sequence numbers have no holes, so that one
which is missing was overwritten before it was read. Messages of one class about one subject
are told together: a flood costs one fact per turn, however many lines it has.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TypeAlias

from agent.model.facts import KernelLogRead
from agent.model.identity import Stamp
from agent.model.kernel_log import KernelClass, KernelMessage
from agent.observe import clock
from agent.observe.kernel_messages import classify

SOURCE = "kernel_log"
PATH = Path("/dev/kmsg")
RECORD_BYTES_MAX = 8192  # CONSOLE_EXT_LOG_MAX; a smaller buffer makes read() fail
RECORDS_PER_READ_MAX = 4096
# After a read the log is left alone so long. The smallest ring of a distribution's kernel holds
# some thousand records: at ten thousand lines a second nothing is lost within a twentieth.
REST_SECONDS = 0.05
RETRY_SECONDS = 5.0  # between attempts to open it anew
PROGRESS_SECONDS = 30.0  # how far it was read is told so often, also without a message for us
TEXT_CHARACTERS_MAX = 200

_MICROSECOND_NS = 1000
_KERNEL_PRIORITY_MAX = 7  # LOG_KERN is facility 0: the priority is the level alone

# Of each class and subject: how many, and sequence number, time and text of the last.
_Found: TypeAlias = "dict[tuple[KernelClass, str], tuple[int, int, int, str]]"
_NOTHING = (0, 0, 0, "")


class KernelLog:
    """Follows the log once it is told from where."""

    def __init__(self, path: Path = PATH) -> None:
        """Open it. Where that is not allowed (CAP_SYSLOG), or there is none, `missing` says so."""
        self._path = path
        self.missing: str | None = None
        self._descriptor: int | None = None
        try:
            self._descriptor = _open(path)
        except OSError as error:
            self.missing = f"the kernel's log ({path}) cannot be read: {error.strerror}"
        self._following = False
        self._caught_up = False
        self._first_told = False  # that the log as it was at the start is taken in
        self._expected: int | None = None
        self._told_sequence: int | None = None
        self._told_at = 0.0
        self._rest_until = 0.0
        self._retry_at = 0.0
        self.failure: str | None = None

    def follow(self, after_sequence: int | None) -> None:
        """Begin, after the record with this number; None begins with the oldest there is."""
        self._following = True
        self._expected = None if after_sequence is None else after_sequence + 1
        self._told_sequence = after_sequence

    def fileno(self) -> int | None:
        """Readable when there is more; None while it is not followed, and while it rests."""
        if not self._following or self.rest_seconds() > 0:
            return None
        return self._descriptor

    def rest_seconds(self) -> float:
        """How long until it may be read again."""
        return max(0.0, self._rest_until - time.monotonic())

    def close(self) -> None:
        """Release the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read(self) -> list[KernelLogRead]:
        """What is new, without waiting."""
        if self.failure and self._descriptor is None and time.monotonic() >= self._retry_at:
            self._reopen()
        if not self._following or self._descriptor is None or self.rest_seconds() > 0:
            return []
        at = clock.now()
        # The kernel's stamps come from another clock, which does not count suspends and drifts:
        # only what was written before we began has no better one.
        offset_ns = at.boottime_ns - time.monotonic_ns()
        found: _Found = {}
        lost = 0
        for records in range(RECORDS_PER_READ_MAX):
            record = self._next_record()
            if record is None:
                if records:  # else it would be woken by its own rest, for ever
                    self._rest_until = time.monotonic() + REST_SECONDS
                break
            if record == b"":
                continue
            lost += self._take(record, found, at, offset_ns)
        return self._told(at, lost, found)

    def _lose(self, reason: str) -> None:
        """It fails: let go of it, and try anew in a moment. The number to go on from is kept."""
        self.failure = f"{self._path}: {reason}"
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self.close()

    def _reopen(self) -> None:
        try:
            self._descriptor = _open(self._path)
        except OSError as error:
            self._lose(error.strerror or repr(error))

    def _next_record(self) -> bytes | None:
        """One record; None at the end of the log, b"" where the reader was overrun."""
        if self._descriptor is None:
            return None
        try:
            record = os.read(self._descriptor, RECORD_BYTES_MAX)
        except BlockingIOError:
            self._caught_up = True
            self.failure = None
            return None
        except BrokenPipeError:
            self.failure = None
            return b""  # EPIPE: overwritten meanwhile; the next read goes on with the oldest
        except OSError as error:
            self._lose(error.strerror or repr(error))
            return None
        if not record:
            self._lose("it ended")
            return None
        self.failure = None
        return record

    def _take(
        self,
        record: bytes,
        found: _Found,
        at: Stamp,
        offset_ns: int,
    ) -> int:
        """Sort one record in; how many were lost before it."""
        head, _, body = record.partition(b";")
        fields = head.split(b",")
        try:
            priority, sequence, microseconds = (int(field) for field in fields[:3])
        except ValueError:
            return 0  # no record of the kernel's; the next number tells whether one is missing
        expected = self._expected
        if expected is not None and sequence < expected:
            return 0
        self._expected = sequence + 1
        line = body.partition(b"\n")[0].decode("utf-8", "replace")
        # Programs may write here as well; the kernel gives them a facility of their own.
        what = classify(line) if priority <= _KERNEL_PRIORITY_MAX else None
        if what is not None:
            stamped_ns = microseconds * _MICROSECOND_NS + offset_ns
            time_ns = at.boottime_ns if self._caught_up else min(stamped_ns, at.boottime_ns)
            # Taken out and put in again: they stand in the order of their last.
            count = found.pop(what, _NOTHING)[0] + 1
            found[what] = (count, sequence, time_ns, line[:TEXT_CHARACTERS_MAX])
        return 0 if expected is None else sequence - expected

    def _told(self, at: Stamp, lost: int, found: _Found) -> list[KernelLogRead]:
        """A fact where there is something to tell, or where progress is to be remembered."""
        if self._expected is None and not self._caught_up:
            return []
        reached = -1 if self._expected is None else self._expected - 1
        now = time.monotonic()
        is_due = reached != self._told_sequence and now - self._told_at >= PROGRESS_SECONDS
        first = self._caught_up and not self._first_told
        if not (found or lost or is_due or first):
            return []
        self._first_told = self._caught_up
        self._told_sequence, self._told_at = reached, now
        messages = (
            KernelMessage(name, subject, count, sequence, time_ns, text)
            for (name, subject), (count, sequence, time_ns, text) in found.items()
        )
        return [KernelLogRead(at, reached, lost, tuple(messages))]


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
