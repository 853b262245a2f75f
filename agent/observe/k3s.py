"""Which server this node's k3s belongs to, as k3s's own configuration says it.

Only an address counts, or a name that /etc/hosts knows: to ask a name server, of all things, would
hang when it matters.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import yaml

from agent.observe import bounded_text

FILE_BYTES_MAX = 256 * 1024
_HTTPS_PORT = 443
# The first is written by k3s's install script, the second by people (docs.k3s.io/installation).
_ENVIRONMENT = "etc/systemd/system/k3s-agent.service.env"
_CONFIG = "etc/rancher/k3s/config.yaml"
_K3S_URL = re.compile(r"""^\s*(?:export\s+)?K3S_URL=["']?([^"'\s]+)""", re.MULTILINE)


def server_address(root: Path = Path("/")) -> str | None:
    """The server's IPv4 address; None where there is none, or it cannot be known for sure."""
    url = _server_url(root)
    return _address(root, url.hostname) if url is not None and url.hostname else None


def server_port(root: Path = Path("/")) -> int | None:
    """The port on which the servers of this cluster serve its API."""
    url = _server_url(root)
    return (url.port or _HTTPS_PORT) if url is not None else None


def _server_url(root: Path) -> SplitResult | None:
    try:
        url = urlsplit(_of_environment(root) or _of_config(root) or "")
        is_one = bool(url.hostname) and url.port != 0  # an odd port raises
    except ValueError:
        return None
    return url if is_one else None


def _of_environment(root: Path) -> str | None:
    found = _K3S_URL.search(bounded_text.read(root / _ENVIRONMENT, FILE_BYTES_MAX))
    return found[1] if found else None


def _of_config(root: Path) -> str | None:
    try:
        found = yaml.safe_load(bounded_text.read(root / _CONFIG, FILE_BYTES_MAX))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    server = found.get("server") if isinstance(found, dict) else None
    return server if isinstance(server, str) else None


def _address(root: Path, host: str) -> str | None:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        pass
    for line in bounded_text.read(root / "etc/hosts", FILE_BYTES_MAX).splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if host in names and re.fullmatch(r"[0-9.]+", address):
            return address
    return None
