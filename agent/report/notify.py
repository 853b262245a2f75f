"""Word to systemd: ready, what it does, and that it makes progress (sd_notify(3)).

Not by python3-systemd: where that is missing, a unit of Type=notify would never become ready
and be killed again and again. And never blocking: the loop does not wait for process 1.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

from agent.model.snapshot import Snapshot
from agent.model.state import Nic

PROGRESS_SECONDS = 1.0  # the loop may turn thousands of times a second; the watchdog waits 30 s


def in_words(snapshot: Snapshot) -> str:
    """The line that `systemctl status` shows."""
    nics = ", ".join(f"{nic.nic} {_state_of(nic)}" for nic in snapshot.state.nics.values())
    failed = [name for name, source in snapshot.sources.items() if source.condition == "failed"]
    words = f"{snapshot.mode}: {nics or 'no NIC'}"
    if failed:
        words += f"; failed: {', '.join(failed)}"
    if snapshot.state.config_problems:
        words += "; the configuration on disk is wrong, an older one is in force"
    return words


def _state_of(nic: Nic) -> str:
    if nic.senses.health is not None:
        return nic.senses.health.state
    return "present" if nic.link else "gone"


class Systemd:
    """Says nothing where systemd did not ask for it."""

    def __init__(self) -> None:
        """Find the way to systemd once."""
        self._address = os.environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._told = ""
        self._is_ready_again = False
        self._told_at = 0.0

    def say(self, message: str) -> None:
        """A message such as `READY=1`; lost where systemd does not take it."""
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as systemd:
            systemd.sendto(message.encode(), self._address)

    def reloading(self) -> None:
        """Until the next READY=1; since 253 systemd needs the time, and waits without it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.say(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def reloaded(self) -> None:
        """The next progress says so: by then everybody is shown what holds now."""
        self._is_ready_again = True

    def progress(self, status: str) -> None:
        """Feed the watchdog and say what goes on; as often as the loop likes."""
        now = time.monotonic()
        if self._is_ready_again:
            self._is_ready_again = False
            self.say(f"READY=1\nSTATUS={status}")
        if status != self._told or now - self._told_at >= PROGRESS_SECONDS:
            self._told, self._told_at = status, now
            self.say(f"WATCHDOG=1\nSTATUS={status}")
