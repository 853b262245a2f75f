"""Word to systemd: ready, what it does, and that it makes progress (sd_notify(3))."""

from __future__ import annotations

import importlib
import os


def notify(message: str) -> None:
    """Send a message such as `READY=1`; nothing where systemd did not ask for any."""
    if "NOTIFY_SOCKET" not in os.environ:
        return
    try:
        daemon = importlib.import_module("systemd.daemon")  # python3-systemd, if it is there
    except ImportError:
        return
    daemon.notify(message)


def watchdog_seconds() -> float | None:
    """How often systemd wants a sign of progress at least; None where it wants none."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1_000_000 if microseconds.isdigit() else None
