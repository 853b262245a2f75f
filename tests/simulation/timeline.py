"""Simulated time: what is to happen, in its order. Nothing waits for a clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from tests.builders import SECOND_NS


class Timeline:
    """A clock that jumps from one event to the next."""

    def __init__(self) -> None:
        self.now_ns = self.paused_ns = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()  # of those at one moment

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self.now_ns + int(seconds * SECOND_NS), do)

    def at(self, when_ns: int, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when_ns, self.now_ns), next(self._order), do))

    def run(self, seconds: float) -> None:
        """Let so much time pass, and all that is due within it happen."""
        end_ns = self.now_ns + int(seconds * SECOND_NS)
        while self._events and self._events[0][0] <= end_ns:
            when_ns, _, do = heapq.heappop(self._events)
            self.now_ns = max(self.now_ns, when_ns)
            do()
        self.now_ns = max(self.now_ns, end_ns)

    def jump(self, seconds: float) -> None:
        """The machine was paused: whatever was due meanwhile happens late."""
        self.now_ns += int(seconds * SECOND_NS)
        self.paused_ns += int(seconds * SECOND_NS)

    def clear(self) -> None:
        """The machine was switched off: nothing of what was under way happens any more."""
        self._events.clear()
