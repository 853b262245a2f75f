"""Who is likely to have changed a link: the kernel does not say (nlmsg_pid is 0 in its messages).

Inferred from who has it in his hands: networkd or NetworkManager, which manages it
(network_service.py), or udev, which has just written in its database that a rule or a .link file
acted on it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from agent.model.cni import Requester
from agent.model.identity import NetworkService
from agent.observe.network_service import managed_by

RECENT_SECONDS = 10.0

_MANAGING: Mapping[NetworkService, Requester] = {
    "networkd": Requester(0, "systemd-networkd", "systemd-networkd.service"),
    "NetworkManager": Requester(0, "NetworkManager", "NetworkManager.service"),
}
_UDEV = Requester(0, "systemd-udevd", "systemd-udevd.service")


def infer(ifindex: int, root: Path = Path("/")) -> Requester | None:
    """Who has the link in its hands; None where nobody is known to."""
    service = managed_by(ifindex, root).service
    if service is not None:
        return _MANAGING[service]
    return _UDEV if _is_recent(root / f"run/udev/data/n{ifindex}") else None


def _is_recent(path: Path) -> bool:
    try:
        return abs(time.time() - path.stat().st_mtime) < RECENT_SECONDS
    except OSError:
        return False
