"""What really happened, on the guest's own clock: what a test holds the product against."""

from __future__ import annotations

import time
from typing import Any

EVENTS_MAX = 100_000


class Truth:
    """Counts and logs. `realtime_ns` is taken just before the kernel can know of it."""

    def __init__(self) -> None:
        self.counters = {
            "carrier_down_reported": 0,
            "carrier_up_reported": 0,
            "unplugs": 0,
            "plugs": 0,
            "frames_from_host": 0,
            "frames_to_host": 0,
        }
        self.events: list[dict[str, Any]] = []

    def note(self, event: str) -> dict[str, Any]:
        """Log an event now."""
        entry = {
            "sequence": len(self.events),
            "event": event,
            "realtime_ns": time.time_ns(),
        }
        if len(self.events) < EVENTS_MAX:
            self.events.append(entry)
        return entry

    def as_object(self) -> dict[str, Any]:
        return {"counters": dict(self.counters), "events": list(self.events)}
