"""Who gives a link its addresses, as networkd's and NetworkManager's own files in /run say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from agent.model.identity import NetworkService
from agent.observe import bounded_text

FILE_BYTES_MAX = 64 * 1024
# sd-network(3): a link that no .network file matches has no NETWORK_FILE.
_NETWORKD = re.compile(r"^NETWORK_FILE=.", re.MULTILINE)
_FAILED = re.compile(r"^ADMIN_STATE=failed$", re.MULTILINE)
# NetworkManager(8): /run/NetworkManager/devices, a file per ifindex.
_NETWORK_MANAGER = re.compile(r"^managed=(1|true|yes)$", re.MULTILINE)


@dataclass(frozen=True)
class Managed:
    """By whom; None where neither says that it manages the link."""

    service: NetworkService | None
    given_up: bool  # networkd failed on it, and leaves it so, whatever its carrier does


def managed_by(ifindex: int, root: Path = Path("/")) -> Managed:
    run = root / "run"
    # What networkd left behind when it was stopped says nothing of who manages the link now.
    runs = (run / "systemd/netif/state").exists()
    links, devices = run / "systemd/netif/links", run / "NetworkManager/devices"
    link = bounded_text.read(links / str(ifindex), FILE_BYTES_MAX) if runs else ""
    given_up = bool(_FAILED.search(link))
    if _NETWORKD.search(link):
        return Managed("networkd", given_up)
    if _NETWORK_MANAGER.search(bounded_text.read(devices / str(ifindex), FILE_BYTES_MAX)):
        return Managed("NetworkManager", given_up)
    return Managed(None, given_up)
