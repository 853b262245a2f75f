"""Which process a number means: one that ended gives it to another."""

from __future__ import annotations

from pathlib import Path

_STAT_BYTES_MAX = 1024
_START_FIELD = 22 - 3  # proc_pid_stat(5) counts from 1; two fields end with the name's ")"


def identity(pid: int, proc: Path = Path("/proc")) -> tuple[int, str] | None:
    """When a process began, in ticks, and its name; None where there is none."""
    try:
        with (proc / str(pid) / "stat").open("rb", buffering=0) as file:
            stat = file.read(_STAT_BYTES_MAX)
    except OSError:
        return None
    # The name may hold spaces and brackets: the fields are counted from its end.
    name, _, rest = stat.partition(b"(")[2].rpartition(b")")
    try:
        start = int(rest.split()[_START_FIELD])
    except (ValueError, IndexError):
        return None
    words = name.decode(errors="replace")
    return start, words if words.isprintable() else ascii(words)[1:-1]
