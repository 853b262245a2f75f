"""Keeps the sampler's process going: one at a time, each sample with a deadline.

NVML may hang in the kernel, crash, or belong to a driver that was replaced under it. Then the
process is ended and another one is started, later each time. One that cannot be killed is told and
never multiplied: a second one would hang on the same lock.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.model.gpu import GpuReport, RestartReason
from agent.observe.gpu_library import LIBRARY, find_library
from agent.observe.gpu_process import KILL_SECONDS, Life, spawn

STUCK_SECONDS = 1.0  # between looks at one that could not be killed
ABSENT_SECONDS = 60.0  # between looks for the library
RETRY_SECONDS_MAX = 60.0
STEADY_SECONDS = 60.0  # so long without a failure, and the next one is the first again
# What only an administrator ends is not asked for every moment.
_RETRY_SECONDS_MIN: dict[RestartReason, float] = {"no_driver": 60.0, "driver_replaced": 30.0}
NO_LIBRARY = f"no {LIBRARY} is found here: no NVIDIA driver"


@dataclass(frozen=True)
class Failure:
    """Why the sampler's process ended, and when the next one begins."""

    reason: RestartReason
    words: str
    retry_seconds: float | None  # None: not before the one that hangs has ended


class Listener(Protocol):
    """Told everything, from the sampler's thread."""

    def absent(self, words: str) -> None:
        """There is nothing to sample."""

    def starting(self) -> None:
        """A process was started."""

    def heard(self, report: GpuReport) -> None:
        """A report came in."""

    def failed(self, failure: Failure) -> None:
        """The process ended, and was not told to."""

    def released(self, words: str) -> None:
        """Nothing of ours holds the driver; or, with words, what still does."""


class Sampler:
    """A thread that starts the process, reads what it says, and ends it."""

    def __init__(self, listener: Listener, interval_seconds: float) -> None:
        """Nothing runs before `start`."""
        self._listener = listener
        self._interval_seconds = interval_seconds
        self._is_closing = False
        self._is_stale = False  # the process runs with another interval
        self._released_until: float | None = None
        self._stuck: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="gpu-sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread goes on."""
        return self._thread.is_alive()

    def use(self, interval_seconds: float) -> None:
        """Another interval, from now on."""
        if interval_seconds != self._interval_seconds:
            self._interval_seconds, self._is_stale = interval_seconds, True
            self._ring()

    def release(self, seconds: float) -> None:
        """End the process, and start none for so long."""
        self._released_until = time.monotonic() + seconds
        self._ring()

    def resume(self) -> None:
        """Start it again, without waiting for what was waited for."""
        self._released_until, self._failures = None, 0
        self._ring()

    def close(self, deadline_seconds: float) -> None:
        """End it all; a process that cannot be killed is left to itself."""
        self._is_closing = True
        self._ring()
        self._thread.join(deadline_seconds)

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_closing:
            if self._is_released():
                self._listener.released(self._still_held())
                self._pause(STUCK_SECONDS)
            elif self._is_stuck():
                self._pause(STUCK_SECONDS)
            elif (library := find_library()) is None:
                self._listener.absent(NO_LIBRARY)
                self._pause(ABSENT_SECONDS)
            else:
                self._one_life(library)

    def _one_life(self, library: Path) -> None:
        began = time.monotonic()
        self._is_stale = False
        self._listener.starting()
        try:
            child = spawn(library, self._interval_seconds)
        except OSError as error:
            self._fail("crash", f"cannot start a process: {error}")
            return
        with contextlib.ExitStack() as pipes:
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipes.enter_context(pipe)
            found = Life(child, self._listener.heard, self._bell, self._interval_seconds).watch(
                lambda: self._is_closing or self._is_stale or self._is_released()
            )
            self._end(child)
        if found is None:
            return
        if time.monotonic() - began > STEADY_SECONDS:
            self._failures = 0
        self._fail(*found)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        try:
            child.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._stuck = child

    def _fail(self, reason: RestartReason, words: str) -> None:
        if self._stuck is not None:
            words += f"; its process {self._stuck.pid} hangs in the kernel and cannot be killed"
            self._listener.failed(Failure(reason, words, None))
            return
        seconds = min(RETRY_SECONDS_MAX, 2.0**self._failures)
        seconds = max(seconds, _RETRY_SECONDS_MIN.get(reason, 0.0))
        self._failures += 1
        self._listener.failed(Failure(reason, words, seconds))
        self._pause(seconds)

    def _is_stuck(self) -> bool:
        if self._stuck is not None and self._stuck.poll() is not None:
            self._stuck = None
        return self._stuck is not None

    def _still_held(self) -> str:
        if self._stuck is None or not self._is_stuck():
            return ""
        return f"process {self._stuck.pid} hangs in the kernel and cannot be killed"

    def _is_released(self) -> bool:
        until = self._released_until
        return until is not None and time.monotonic() < until

    def _pause(self, seconds: float) -> None:
        with selectors.PollSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.select(seconds)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)
