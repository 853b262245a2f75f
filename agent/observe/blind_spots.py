"""What this process may not see or do here, in words: said at start and shown in status."""

from __future__ import annotations

from pathlib import Path

_CAP_NET_ADMIN, _CAP_NET_RAW = 12, 13  # linux/capability.h

NO_PROBES = "without root (CAP_NET_RAW) the gateway is not probed: reachability is unknown"


def blind_spots(root: Path = Path("/")) -> tuple[str, ...]:
    """Each sentence names what is missing and what that means."""
    spots = []
    if not (root / "sys/bus/usb").is_dir():
        spots.append(
            "no USB in /sys (/sys/bus/usb is missing): a container, or a kernel without it"
        )
    if not _has(_CAP_NET_ADMIN, root):
        spots.append(
            "without root (CAP_NET_ADMIN) nothing can be changed, "
            "and a storm of link events overflows sooner"
        )
    if not may_probe(root):
        spots.append(NO_PROBES)
    if _foreign_network_namespace(root):
        spots.append("not in the host's network namespace: only this namespace's links are seen")
    return tuple(spots)


def may_probe(root: Path = Path("/")) -> bool:
    """Whether packet sockets are allowed (packet(7)): ARP goes through one."""
    return _has(_CAP_NET_RAW, root)


def _has(capability: int, root: Path) -> bool:
    try:
        status = (root / "proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False


def _foreign_network_namespace(root: Path) -> bool:
    try:
        return (root / "proc/1/ns/net").readlink() != (root / "proc/self/ns/net").readlink()
    except OSError:  # only root may look at process 1
        return False
