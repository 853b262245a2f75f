"""Who holds a socket: from its inode to the process, its unit or its pod, by /proc/PID/fd.

It takes CAP_SYS_PTRACE to look into processes with more privileges than one's own, and
CAP_DAC_READ_SEARCH for those of other users (proc_pid_fd(5)).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.model.cni import Requester
from agent.observe import bounded_text, process
from agent.observe.cgroup import place

_TEXT_BYTES_MAX = 4096
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True)
class Holder:
    """A socket's holder. `kept`: PID 1 holds it as well, so that it outlives this process."""

    requester: Requester
    start: int  # of the process, in ticks: its number may be given again
    kept: bool = False


def find(inodes: Iterable[str], proc: Path = Path("/proc")) -> dict[str, Holder]:
    """By inode, of those whose holder can be seen. PID 1 is one only where nobody else is.

    It makes the sockets that it passes on to services (systemd.socket(5)), systemd-networkd's among
    them, and keeps them over the service's restarts.
    """
    wanted, found, of_pid_1 = set(inodes), dict[str, Holder](), set[str]()
    for pid in sorted(process.numbers(proc)):
        held = wanted.intersection(_sockets(pid, proc))
        if pid == 1:
            of_pid_1 = held
            continue
        for inode in held - found.keys():
            holder = _holder(pid, proc, kept=inode in of_pid_1)
            if holder is not None:
                found[inode] = holder
    for inode in of_pid_1 - found.keys():
        holder = _holder(1, proc, kept=True)
        if holder is not None:
            found[inode] = holder
    return found


def _sockets(pid: int, proc: Path) -> Iterator[str]:
    """Their inodes; none where it has ended, or may not be looked into."""
    with contextlib.suppress(OSError):
        for descriptor in (proc / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                match = _SOCKET.match(str(descriptor.readlink()))
                if match:
                    yield match[1]


def _holder(pid: int, proc: Path, *, kept: bool) -> Holder | None:
    known = process.identity(pid, proc)
    if known is None:
        return None
    start, name = known
    where = place(bounded_text.read(proc / str(pid) / "cgroup", _TEXT_BYTES_MAX))
    return Holder(Requester(pid, name, where.unit, where.pod_uid), start, kept)
