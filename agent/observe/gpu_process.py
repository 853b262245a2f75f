"""One process of the sampler: how it is started, what it says, and how it ends."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent.model.gpu import GpuReport, RestartReason
from agent.observe.gpu_library import find_library
from agent.observe.gpu_line import LINE_BYTES_MAX, Farewell, Garbage, from_line

FIRST_SECONDS = 30.0  # without persistence, NVML initialises every GPU when it is opened
DEADLINE_SECONDS = 5.0  # beyond the interval
KILL_SECONDS = 2.0
_WORDS_BYTES_MAX = 2000
_CHUNK_BYTES = 65536
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


class Life:
    """What one process says, until its end."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        heard: Callable[[GpuReport], None],
        bell: int,
        interval_seconds: float,
    ) -> None:
        self._child, self._heard, self._bell = child, heard, bell
        self._patience_seconds = interval_seconds + DEADLINE_SECONDS
        self._line, self._words = bytearray(), bytearray()

    def watch(self, is_over: Callable[[], bool]) -> tuple[RestartReason, str] | None:
        """Why it ended; None where `is_over` says so."""
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        patience_seconds = FIRST_SECONDS
        deadline = time.monotonic() + patience_seconds
        with selectors.PollSelector() as selector:
            for readable in (self._child.stdout, self._child.stderr, self._bell):
                selector.register(readable, selectors.EVENT_READ)
            while True:
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if is_over():
                    return None
                if not ready:
                    return "deadline", f"no sample within {patience_seconds:.0f} s"
                for key, _ in ready:
                    if key.fileobj is self._child.stderr:
                        said = os.read(key.fd, _CHUNK_BYTES)
                        self._words = (self._words + said)[-_WORDS_BYTES_MAX:]
                        if not said:
                            selector.unregister(key.fileobj)
                    elif key.fileobj is self._child.stdout:
                        chunk = os.read(key.fd, _CHUNK_BYTES)
                        if not chunk:
                            return "crash", self._last_words()
                        ended = self._take(chunk)
                        if ended is not None:
                            return ended
                        if chunk.endswith(b"\n"):
                            patience_seconds = self._patience_seconds
                            deadline = time.monotonic() + patience_seconds
                    else:
                        os.eventfd_read(self._bell)

    def _take(self, chunk: bytes) -> tuple[RestartReason, str] | None:
        self._line += chunk
        while b"\n" in self._line:
            line, _, self._line = self._line.partition(b"\n")
            try:
                said = from_line(bytes(line))
            except Garbage as garbage:
                return "garbage", str(garbage)
            if isinstance(said, Farewell):
                return said.reason, said.words
            self._heard(said)
        if len(self._line) > LINE_BYTES_MAX:
            return "garbage", f"a line of more than {LINE_BYTES_MAX} bytes"
        return None

    def _last_words(self) -> str:
        """How it ended; its standard error is at its end as well, or ends with the kill."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(KILL_SECONDS)
        status = self._child.returncode
        if status is not None and status < 0:
            return f"killed by {signal.Signals(-status).name}"
        last = self._words.decode(errors="replace").strip().splitlines()[-1:]
        return f"ended with status {status}" + "".join(f": {line}" for line in last)


def spawn(library: Path, interval_seconds: float, *options: str) -> subprocess.Popen[bytes]:
    milliseconds = str(int(interval_seconds * 1000))
    program = [sys.executable, "-m", "agent.observe.gpu_worker", "--library", str(library)]
    return subprocess.Popen(
        [*program, "--interval-ms", milliseconds, *options],
        cwd=_PACKAGE_PARENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def sample_once(deadline_seconds: float = FIRST_SECONDS) -> GpuReport | Farewell | None:
    """One report, for who has no daemon to ask; None without a library. TimeoutError."""
    library = find_library()
    if library is None:
        return None
    child = spawn(library, 0.0, "--once")
    # Not in a `with`: leaving it would wait for a child that never ends.
    try:
        said, words = child.communicate(timeout=deadline_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(KILL_SECONDS)
        raise TimeoutError(f"NVML did not answer within {deadline_seconds:.0f} s") from None
    line, _, _ = said.partition(b"\n")
    if line:
        return from_line(line)
    last = words.decode(errors="replace").strip().splitlines()[-1:]
    status = child.returncode
    how = signal.Signals(-status).name if status < 0 else f"status {status}"
    return Farewell("crash", f"the sampler ended with {how}" + "".join(f": {w}" for w in last))
