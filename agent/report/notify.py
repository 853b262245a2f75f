"""Word to systemd: ready, what it does, and that it makes progress (sd_notify(3))."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable

PROGRESS_SECONDS = 1.0  # the loop may turn thousands of times a second; the watchdog waits 30 s


class Systemd:
    """Says nothing where systemd did not ask for it, or python3-systemd is missing."""

    def __init__(self) -> None:
        """Find the way to systemd once."""
        self._notify = _notify_function()
        self._told = ""
        self._told_at = 0.0

    def say(self, message: str) -> None:
        """A message such as `READY=1`."""
        if self._notify is not None:
            self._notify(message)

    def progress(self, status: str) -> None:
        """Feed the watchdog and say what goes on; as often as the loop likes."""
        now = time.monotonic()
        if status != self._told or now - self._told_at >= PROGRESS_SECONDS:
            self._told, self._told_at = status, now
            self.say(f"WATCHDOG=1\nSTATUS={status}")


def _notify_function() -> Callable[[str], object] | None:
    if "NOTIFY_SOCKET" not in os.environ:
        return None
    try:
        daemon = importlib.import_module("systemd.daemon")  # python3-systemd, if it is there
    except ImportError:
        return None
    notify: Callable[[str], object] = daemon.notify
    return notify
