"""Has whoever manages a link apply its configuration to it anew.

A link that is renamed keeps what networkd made of its former name (seen on systemd 252): the file
that matches the new one is not looked for. Addresses that somebody took away, networkd does not
miss; NetworkManager puts them back when the link's profile is applied again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agent.act import command
from agent.model.identity import NetworkService

NETWORKD_RUNS = Path("/run/systemd/netif/state")  # networkd keeps it for as long as it runs
_COMMANDS: Mapping[NetworkService, tuple[str, ...]] = {
    "networkd": ("networkctl", "reconfigure"),
    "NetworkManager": ("nmcli", "device", "reapply"),
}


def networkd_runs() -> bool:
    """Whether there is a networkd to ask."""
    return NETWORKD_RUNS.exists()


def apply_anew(service: NetworkService, device: str) -> None:
    """Ask it, and wait for its word. Raises OSError."""
    command.run(*_COMMANDS[service], device)
