"""When a GPU's head-room has run out, and when there is some again."""

from __future__ import annotations

# Above the limit by a quarter of it: what swings about the limit is one incident, not hundreds.
_BACK_NUMERATOR, _BACK_DENOMINATOR = 5, 4


def is_low(free_bytes: int, needed_bytes: int, *, was_low: bool) -> bool:
    """Whether less is free than the next process needs; with `needed_bytes` 0 it never is."""
    if was_low:
        return free_bytes * _BACK_DENOMINATOR < needed_bytes * _BACK_NUMERATOR
    return free_bytes < needed_bytes
