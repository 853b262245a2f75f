"""The clocks, and the boot they belong to."""

from __future__ import annotations

import time
from pathlib import Path

from agent.model.identity import Stamp

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now() -> Stamp:
    """The present moment on both clocks."""
    return Stamp(time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns())


def boot_id() -> str:
    """The kernel's name for this boot; ifindexes and kernel counts mean nothing in another."""
    return _BOOT_ID.read_text(encoding="ascii").strip()
