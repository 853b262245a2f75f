"""A worker thread behind a bounded queue: for whatever may block, so that the loop never does."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

HANG_SECONDS = 10.0
# Whoever asks does so once a second; between two looks that lie further apart the whole machine
# stood still (a virtual machine that was paused or moved), and that is nobody's hanging.
LOOK_SECONDS_MAX = 2.0


class Background(Generic[T]):
    """Handles items in order on a thread of its own; a full queue refuses instead of waiting."""

    def __init__(self, name: str, handle: Callable[[T], None], items_max: int) -> None:
        """Start the thread. `handle` should not raise; what it raises is kept in `last_error`."""
        self._handle = handle
        self._items: deque[T] = deque()
        self._items_max = items_max
        self._condition = threading.Condition()
        self._closing = False
        self._looked_at: float | None = None  # while busy
        self._busy_seconds = 0.0
        self.dropped_total = 0
        self.last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: T) -> bool:
        """Queue an item; False, and counted, where the queue is full or closing."""
        with self._condition:
            if self._closing or len(self._items) >= self._items_max:
                self.dropped_total += 1
                return False
            self._items.append(item)
            self._condition.notify()
            return True

    def busy_seconds(self) -> float:
        """How long the item at hand has been taking, as far as was looked at; 0.0 while idle."""
        with self._condition:
            if self._looked_at is None:
                return 0.0
            now = time.monotonic()
            self._busy_seconds += min(now - self._looked_at, LOOK_SECONDS_MAX)
            self._looked_at = now
            return self._busy_seconds

    def failure(self) -> str | None:
        """Why the last item failed, or that the one at hand hangs; None while all is well."""
        busy_seconds = self.busy_seconds()
        if busy_seconds > HANG_SECONDS:
            return f"no progress for {busy_seconds:.0f} s: it hangs"
        if not self._closing and not self._thread.is_alive():
            return "its thread has ended"
        return self.last_error

    def close(self, deadline_seconds: float) -> bool:
        """Finish what is queued; False where that took too long and the thread was left behind."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(deadline_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._items and not self._closing:
                    self._condition.wait()
                if not self._items:
                    return
                item = self._items.popleft()
                self._looked_at, self._busy_seconds = time.monotonic(), 0.0
            try:
                self._handle(item)
                self.last_error = None
            except Exception as error:  # noqa: BLE001  one bad item must not end the thread
                self.last_error = f"{type(error).__name__}: {error}"
            finally:
                with self._condition:
                    self._looked_at = None
