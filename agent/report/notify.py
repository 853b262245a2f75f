"""Word to systemd: ready, what it does, and that it makes progress (sd_notify(3)).

Not by python3-systemd: where that is missing, a unit of Type=notify would never become ready
and be killed again and again. And never blocking: the loop does not wait for process 1.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

PROGRESS_SECONDS = 1.0  # the loop may turn thousands of times a second; the watchdog waits 30 s


class Systemd:
    """Says nothing where systemd did not ask for it."""

    def __init__(self) -> None:
        """Find the way to systemd once."""
        self._address = os.environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._told = ""
        self._told_at = 0.0

    def say(self, message: str) -> None:
        """A message such as `READY=1`; lost where systemd does not take it."""
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as systemd:
            systemd.sendto(message.encode(), self._address)

    def progress(self, status: str) -> None:
        """Feed the watchdog and say what goes on; as often as the loop likes."""
        now = time.monotonic()
        if status != self._told or now - self._told_at >= PROGRESS_SECONDS:
            self._told, self._told_at = status, now
            self.say(f"WATCHDOG=1\nSTATUS={status}")
