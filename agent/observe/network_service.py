"""Who gives a link its addresses, as networkd's and NetworkManager's own files in /run say it."""

from __future__ import annotations

import re
from pathlib import Path

from agent.model.identity import NetworkService

FILE_BYTES_MAX = 64 * 1024
# sd-network(3): a link that no .network file matches has no NETWORK_FILE.
_NETWORKD = re.compile(r"^NETWORK_FILE=.", re.MULTILINE)
_FAILED = re.compile(r"^ADMIN_STATE=failed$", re.MULTILINE)
# NetworkManager(8): /run/NetworkManager/devices, a file per ifindex.
_NETWORK_MANAGER = re.compile(r"^managed=(1|true|yes)$", re.MULTILINE)


def service_of(ifindex: int, root: Path = Path("/")) -> NetworkService | None:
    """None where neither says that it manages the link."""
    run = root / "run"
    # What networkd left behind when it was stopped says nothing of who manages the link now.
    if (run / "systemd/netif/state").exists() and _NETWORKD.search(
        _text(run / f"systemd/netif/links/{ifindex}")
    ):
        return "networkd"
    if _NETWORK_MANAGER.search(_text(run / f"NetworkManager/devices/{ifindex}")):
        return "NetworkManager"
    return None


def has_given_up(ifindex: int, root: Path = Path("/")) -> bool:
    """Whether networkd failed on the link: it stays so, whatever its carrier does (systemd 252)."""
    run = root / "run/systemd/netif"
    return (run / "state").exists() and bool(_FAILED.search(_text(run / f"links/{ifindex}")))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
