"""One file of sysfs, read or written; an error says which file it was about."""

from __future__ import annotations

import os
from pathlib import Path


def read(path: Path) -> str:
    """What the file says, without the end of the line. Raises OSError."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        # A read that the kernel refuses, unlike an open, does not know the file's name.
        raise OSError(error.errno, error.strerror, str(path)) from error


def words(error: OSError) -> str:
    """Which file, and what the kernel said, without Python's `[Errno 22]`."""
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def write(path: Path, text: str) -> None:
    """Write to a file that is there, as a shell's `>` does, but never make one. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = f"{error.strerror}, when {text} was written"
        raise OSError(error.errno, reason, str(path)) from error
