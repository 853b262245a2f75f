"""Whether a CNI is at work on this node: what runs pods, and what keeps the CNI's entries."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from agent.model.cni import CniRuntime
from agent.observe import bounded_text, process

# Whose main process runs pods. k3s's and RKE2's servers keep flannel themselves.
_UNITS = ("k3s", "k3s-agent", "rke2-server", "rke2-agent", "kubelet", "k0scontroller", "k0sworker")
_CGROUPS = ("sys/fs/cgroup/system.slice", "sys/fs/cgroup/systemd/system.slice")
_NUMBERS = re.compile(r"^NSpid:([\d\t ]+)$", re.MULTILINE)  # from the outermost to its own
_SUBNET = "run/flannel/subnet.env"
_NETWORK = re.compile(r"^FLANNEL_NETWORK=([0-9./]{9,18})$", re.MULTILINE)
_TEXT_BYTES_MAX = 64 * 1024
_TICKS = os.sysconf("SC_CLK_TCK")


def read_runtime(owners: Iterable[str], root: Path = Path("/")) -> CniRuntime:
    """As it is now; `owners` are names of processes, of which the eldest counts."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    wanted, seconds, ports = frozenset(owners), dict[str, int](), set[int]()
    for pid in process.numbers(root / "proc") if wanted else ():
        known = process.identity(pid, root / "proc")
        if known is not None and known[1] in wanted:
            start, name = known
            seconds[name] = max(seconds.get(name, 0), int(now - start / _TICKS))
            ports.add(_number_there(pid, root))
    return CniRuntime(_is_active(root), seconds, tuple(sorted(ports)), _pod_network(root))


def _number_there(pid: int, root: Path) -> int:
    """The process's number in its own namespace, which it gives its first netlink socket."""
    found = _NUMBERS.search(bounded_text.read(root / "proc" / str(pid) / "status", _TEXT_BYTES_MAX))
    return int(found[1].split()[-1]) if found else pid


def _is_active(root: Path) -> bool:
    """The unit's own process runs. Its control group also holds what outlives it: the shims."""
    for unit in _UNITS:
        for base in _CGROUPS:
            for pid in bounded_text.read(
                root / base / f"{unit}.service/cgroup.procs", _TEXT_BYTES_MAX
            ).split():
                known = process.identity(int(pid), root / "proc")
                if known is not None and not known[1].startswith("containerd"):
                    return True
    return False


def _pod_network(root: Path) -> str:
    found = _NETWORK.search(bounded_text.read(root / _SUBNET, _TEXT_BYTES_MAX))
    return found[1] if found else ""
