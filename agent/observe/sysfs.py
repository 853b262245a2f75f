"""One attribute or link of sysfs: what whoever reads a device there needs again and again."""

from __future__ import annotations

from pathlib import Path


def attribute(path: Path) -> str:
    """What the file says, without the end of the line. OSError."""
    return path.read_text(encoding="ascii", errors="replace").strip()


def optional(path: Path) -> str:
    """The same; "" where it cannot be read, or is gone meanwhile."""
    try:
        return attribute(path)
    except OSError:
        return ""


def link_name(path: Path) -> str:
    """The last part of what a link leads to; "" where there is none."""
    try:
        return path.readlink().name
    except OSError:
        return ""
