"""What Cilium's agent says of its health: what the kubelet asks it, too."""

from __future__ import annotations

import http.client
from pathlib import Path

# Cilium's own liveness probe (its chart's cilium-agent/daemonset.yaml; agent-health-port).
ADDRESS, PORT = "127.0.0.1", 9879
_PATH, _HEADERS = "/healthz", {"brief": "true"}
_SECONDS_MAX = 3.0
_WORDS_BYTES_MAX = 200


def ailment(root: Path = Path("/"), port: int = PORT) -> str | None:
    """What ails it, "" where nothing does; None where it is not there, or does not answer."""
    if not (root / "sys/class/net/cilium_host").exists():
        return None
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=_SECONDS_MAX)
    try:
        connection.request("GET", _PATH, headers=_HEADERS)
        answer = connection.getresponse()
        words = answer.read(_WORDS_BYTES_MAX).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return ""
    return " ".join(words.split()) or f"status {answer.status}"
