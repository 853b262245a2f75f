"""One daemon at a time: two would repair against each other."""

from __future__ import annotations

import fcntl
import os
from typing import TextIO

from agent.places import Places


class AlreadyRunning(Exception):
    """Another daemon holds the lock."""


def lock(places: Places) -> TextIO:
    """Held until the process ends, however it ends. AlreadyRunning where another holds it."""
    path = places.runtime / "lock"
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            file.seek(0)
            raise AlreadyRunning(f"process {file.read().strip()} holds {path}") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
