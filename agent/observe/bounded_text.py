"""A text file of which nothing is known where it cannot be read, and never more than so much."""

from __future__ import annotations

from pathlib import Path


def read(path: Path, bytes_max: int) -> str:
    """Its beginning; "" where it is not there, or not for us."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max).decode("utf-8", "replace")
    except OSError:
        return ""
