"""Who is likely to have changed a link: the kernel does not say (nlmsg_pid is 0 in its messages).

Inferred from what each of them writes down about the links that it has in its hands: networkd's
/run/systemd/netif/links ("Do not parse", and yet the same from 249 to 257), NetworkManager's
/run/NetworkManager/devices, udev's database, which it has just written where a rule or a .link file
acted on a new link.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from agent.model.cni import Requester

RECENT_SECONDS = 10.0
_TEXT_BYTES_MAX = 16 * 1024
_NETWORKD_STATE = re.compile(r"^ADMIN_STATE=(\w+)$", re.MULTILINE)
_NETWORKD_HAS_IT_NOT = ("unmanaged", "pending", "initialized", "linger")
_NM_MANAGED = re.compile(r"^managed=(true|1)$", re.MULTILINE)

_NETWORKD = Requester(0, "systemd-networkd", "systemd-networkd.service")
_NETWORK_MANAGER = Requester(0, "NetworkManager", "NetworkManager.service")
_UDEV = Requester(0, "systemd-udevd", "systemd-udevd.service")


def infer(ifindex: int, root: Path = Path("/")) -> Requester | None:
    """Who has the link in its hands; None where nobody is known to."""
    networkd = _NETWORKD_STATE.search(_text(root / f"run/systemd/netif/links/{ifindex}"))
    if networkd is not None and networkd[1] not in _NETWORKD_HAS_IT_NOT:
        return _NETWORKD
    if _NM_MANAGED.search(_text(root / f"run/NetworkManager/devices/{ifindex}")):
        return _NETWORK_MANAGER
    return _UDEV if _is_recent(root / f"run/udev/data/n{ifindex}") else None


def _is_recent(path: Path) -> bool:
    try:
        return abs(time.time() - path.stat().st_mtime) < RECENT_SECONDS
    except OSError:
        return False


def _text(path: Path) -> str:
    """Nothing, where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_TEXT_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
