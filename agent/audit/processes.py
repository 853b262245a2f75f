"""Which programs run here, and since when, from /proc."""

from __future__ import annotations

import errno
import os

from agent.audit.host import Host

_INIT = "1"
_START_FIELD = 22 - 3  # proc_pid_stat(5) counts from 1; two fields end with the name's ")"


def running(host: Host) -> dict[str, int]:
    """A process id by the name (comm, of 15 characters at most) of each that runs. OSError."""
    proc = host.path("proc")
    processes = [name for name in host.names(proc) if name.isdecimal()]
    if _INIT not in processes:
        # hidepid= shows only one's own: what is not seen may run all the same.
        raise PermissionError(errno.EACCES, "the processes of others are hidden", str(proc))
    found: dict[str, int] = {}
    for name in processes:
        comm = _comm(host, name)
        if comm:
            found.setdefault(comm, int(name))
    return found


def started_timestamp_seconds(host: Host, process: int) -> float:
    """When a process began, as Unix time, to a second. OSError."""
    stat = host.text(host.path(f"proc/{process}/stat")) or ""
    boot = next(
        line.split()[1]
        for line in (host.text(host.path("proc/stat")) or "").splitlines()
        if line.startswith("btime ")
    )
    # The name may hold spaces and brackets: the fields are counted from its end.
    ticks = int(stat.rpartition(")")[2].split()[_START_FIELD])
    return int(boot) + ticks / os.sysconf("SC_CLK_TCK")


def _comm(host: Host, process: str) -> str:
    try:
        return (host.text(host.path(f"proc/{process}/comm")) or "").strip()
    except (ProcessLookupError, PermissionError):  # ended meanwhile, or hidden
        return ""
