"""The recordings of incidents on disk: one file each, bounded in number and bytes.

Each is a recording that `nodemend replay` takes as it is. Lines are appended as they come, so
that a killed daemon leaves a whole recording, or one whose last line is cut off. What makes a
file worth having, its beginning and its end, is fsynced; the rest is left to the kernel.

The disk may hang, be full or read-only: then this says so, and nothing else waits for it.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from agent.background import Background
from agent.report.flight import INCIDENT_CHARACTERS_MAX, RETRY_SECONDS, Decided, Flight, Piece
from agent.store import fsync_directory

FILES_MAX = 64
DIRECTORY_BYTES_MAX = 16 * 1024 * 1024
PIECES_WAITING_MAX = 512
SUFFIX = ".jsonl"
_BLOCK_BYTES = 64 * 1024
_SECOND_NS = 1_000_000_000


def file_of(directory: Path, incident_id: str) -> Path:
    """Where the recording of this incident is, if there is one."""
    return directory / f"{quote(incident_id, safe=':@')}{SUFFIX}"


class IncidentFiles:
    """Takes what is decided, from one thread; writes on another."""

    def __init__(self, directory: Path, version: str) -> None:
        """`directory` is made with the first recording."""
        self._directory = directory
        self._flight = Flight(version)
        self._files = Files(directory)
        self._lost: deque[str] = deque()  # whose pieces could not be written
        self._failure: str | None = None
        self._checked_ns = 0
        self._worker: Background[Piece | None]
        self._worker = Background("incidents", self._write, PIECES_WAITING_MAX)

    def take(self, decided: Decided, line: str) -> None:
        """Never waits and never raises: what is refused is begun anew later."""
        at_ns = decided.fact.at.boottime_ns
        while self._lost:
            self._flight.lost(self._lost.popleft(), at_ns)
        for piece in self._flight.take(decided, line):
            if not self._worker.offer(piece):
                self._lost.append(piece.incident_id)
        since_ns = at_ns - self._checked_ns
        if self._failure and self._flight.is_idle and since_ns >= RETRY_SECONDS * _SECOND_NS:
            self._checked_ns = at_ns
            self._worker.offer(None)

    @property
    def dropped_total(self) -> int:
        """Pieces that found the queue full."""
        return self._worker.dropped_total

    @property
    def failure(self) -> str | None:
        """Why incidents are not on disk as they should be; None while all is well."""
        return self._failure or self._worker.failure()

    def close(self, deadline_seconds: float) -> bool:
        """Write what is queued; False where that took too long."""
        finished = self._worker.close(deadline_seconds)
        if finished:
            self._files.close()
        return finished

    def _write(self, piece: Piece | None) -> None:
        try:
            if piece is None:
                self._files.check()
            elif not self._files.write(piece):
                return  # what it follows on was not written, and said so
        except OSError as error:
            self._failure = f"{self._directory}: {error.strerror or error!r}"
            if piece is not None:
                self._lost.append(piece.incident_id)
        else:
            self._failure = None


class Files:
    """The directory; for one thread."""

    def __init__(self, directory: Path) -> None:
        """Nothing is opened yet."""
        self._directory = directory
        self._open: dict[str, BinaryIO] = {}

    def write(self, piece: Piece) -> bool:
        """Append; False where its beginning is not there. OSError: nothing more follows on it."""
        if piece.begins:
            self._let_go(piece.incident_id)
            self._open[piece.incident_id] = self._begin(piece.incident_id)
        file = self._open.get(piece.incident_id)
        if file is None:
            return False
        try:
            file.write(piece.text.encode())
            file.flush()
            if piece.begins or piece.ends:
                os.fsync(file.fileno())
        except OSError:
            self._let_go(piece.incident_id)
            raise
        if piece.ends:
            self._let_go(piece.incident_id)
        return True

    def check(self) -> None:
        """Whether the directory can be written to. OSError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = self._directory / ".check"
        path.write_text("can this be written?\n", encoding="ascii")
        path.unlink()

    def close(self) -> None:
        """Let go of what is open."""
        for incident_id in tuple(self._open):
            self._let_go(incident_id)

    def _begin(self, incident_id: str) -> BinaryIO:
        """The file, at the end of its last whole line: a killed daemon may have cut one off."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = file_of(self._directory, incident_id)
        if not path.exists():
            self._make_room()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "r+b")
        end = _end_of_last_line(file)
        file.truncate(end)
        file.seek(end)
        if not end:
            fsync_directory(self._directory)
        return file

    def _make_room(self) -> None:
        """The oldest go, so that one more stays within both bounds."""
        in_use = {file_of(self._directory, incident_id) for incident_id in self._open}
        files = sorted(_files_in(self._directory), key=lambda found: found[1])
        total = sum(size for _, _, size in files)
        for number, (path, _, size) in enumerate(files):
            count = len(files) - number
            if count < FILES_MAX and total + INCIDENT_CHARACTERS_MAX <= DIRECTORY_BYTES_MAX:
                return
            if path not in in_use:
                path.unlink(missing_ok=True)
                total -= size

    def _let_go(self, incident_id: str) -> None:
        file = self._open.pop(incident_id, None)
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


def _files_in(directory: Path) -> Iterator[tuple[Path, int, int]]:
    for path in directory.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            found = path.stat()
            yield path, found.st_mtime_ns, found.st_size


def _end_of_last_line(file: BinaryIO) -> int:
    position = file.seek(0, os.SEEK_END)
    while position > 0:
        start = max(0, position - _BLOCK_BYTES)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
