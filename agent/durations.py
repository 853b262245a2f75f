"""Durations as people write them: 500ms, 10s, 5m, 2h; spans of a report also 30d."""

from __future__ import annotations

import re

_UNITS_NS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}


def nanoseconds(text: str) -> int | None:
    """None where it is no duration."""
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h)", text)
    return int(found[1]) * _UNITS_NS[found[2]] if found else None


def span_seconds(text: str) -> int | None:
    """Whole seconds, at least one; None where it is no duration."""
    found = re.fullmatch(r"([0-9]{1,5})d", text)
    seconds = int(found[1]) * 86400 if found else (nanoseconds(text) or 0) // _UNITS_NS["s"]
    return seconds or None
