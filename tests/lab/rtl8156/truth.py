"""What really happened, on the guest's own clock: what a test holds the product against."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any

EVENTS_MAX = 10_000  # the oldest are forgotten, the counters are not


class Truth:
    """Counts and logs since the emulator started; safe to use from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MAX)
        self._sequence = 0
        self._counters = Counter(
            carrier_down_reported=0,
            carrier_up_reported=0,
            unplugs=0,
            plugs=0,
            frames_from_host=0,
            frames_to_host=0,
        )

    def note(self, event: str, realtime_ns: int | None = None) -> dict[str, Any]:
        """Log an event: of now, or of a moment taken just before the kernel could know of it."""
        with self._lock:
            self._sequence += 1
            moment = time.time_ns() if realtime_ns is None else realtime_ns
            entry = {"sequence": self._sequence, "event": event, "realtime_ns": moment}
            self._events.append(entry)
        return entry

    def count(self, counter: str) -> None:
        with self._lock:
            self._counters[counter] += 1

    def as_object(self) -> dict[str, Any]:
        with self._lock:
            return {"counters": dict(self._counters), "events": list(self._events)}
