"""A moment for people, by this machine's clock and time zone."""

from __future__ import annotations

import time


def clock_time(unix_seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_seconds))
