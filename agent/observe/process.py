"""Which process a number means: one that ended gives it to another."""

from __future__ import annotations

import os
from pathlib import Path

PROCESSES_MAX = 8192
_STAT_BYTES_MAX = 1024
_START_FIELD = 22 - 3  # proc_pid_stat(5) counts from 1; two fields end with the name's ")"


def numbers(proc: Path = Path("/proc")) -> list[int]:
    """Of the processes that there are; of very many, the first. OSError."""
    with os.scandir(proc) as found:
        return [int(entry.name) for entry in found if entry.name.isdigit()][:PROCESSES_MAX]


def identity(pid: int, proc: Path = Path("/proc")) -> tuple[int, str] | None:
    """When a process began, in ticks, and its name; None where there is none."""
    try:
        # A file object would be most of what hundreds of processes a second cost.
        file = os.open(f"{proc}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        stat = os.read(file, _STAT_BYTES_MAX)
    except OSError:
        return None
    finally:
        os.close(file)
    # The name may hold spaces and brackets: the fields are counted from its end.
    name, _, rest = stat.partition(b"(")[2].rpartition(b")")
    try:
        start = int(rest.split()[_START_FIELD])
    except (ValueError, IndexError):
        return None
    words = name.decode(errors="replace")
    return start, words if words.isprintable() else ascii(words)[1:-1]
