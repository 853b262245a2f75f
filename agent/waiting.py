"""How the loop waits: for descriptors, for the next time that is due, for a bell.

The bell is what other threads and signals ring, so that the loop need not look around for them.
"""

from __future__ import annotations

import contextlib
import os
import selectors
from collections.abc import Iterable

from agent.model.facts import TimeReached
from agent.observe import clock

TICK_SECONDS = 1.0  # how long the loop sleeps at most: deadlines and the watchdog need a pulse
_SECOND_NS = 1_000_000_000


class Waiting:
    """The times that were asked for, and the bell."""

    def __init__(self) -> None:
        """Nothing is due. OSError."""
        self._wakes: dict[str, int] = {}
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def wake_at(self, boottime_ns: int, topic: str) -> None:
        """Come back at this time; the latest word on a topic counts."""
        self._wakes[topic] = boottime_ns

    def ring(self) -> None:
        """From any thread, and from a signal handler: wait no longer."""
        os.eventfd_write(self._bell, 1)

    def wait(self, descriptors: Iterable[int | None], at_most_seconds: float) -> None:
        """Until a descriptor can be read, a time is due, the bell rings or the tick is over."""
        now_ns = clock.now().boottime_ns
        due_ns = min(self._wakes.values(), default=now_ns + int(TICK_SECONDS * _SECOND_NS))
        seconds = min(TICK_SECONDS, at_most_seconds, max(0.0, (due_ns - now_ns) / _SECOND_NS))
        # A selector made anew each time costs microseconds, and never holds a stale descriptor.
        with selectors.PollSelector() as selector:
            for descriptor in (self._bell, *descriptors):
                if descriptor is not None:
                    selector.register(descriptor, selectors.EVENT_READ)
            selector.select(seconds)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def due(self) -> list[TimeReached]:
        """The times that have come."""
        at = clock.now()
        topics = [topic for topic, due_ns in self._wakes.items() if due_ns <= at.boottime_ns]
        for topic in topics:
            del self._wakes[topic]
        return [TimeReached(at, topic) for topic in topics]
