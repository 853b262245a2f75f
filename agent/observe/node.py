"""How k3s and Cilium fare, by what the kernel and they themselves say on this machine alone."""

from __future__ import annotations

from pathlib import Path

from agent.model.identity import NodeHealth
from agent.observe import cilium, k3s_connections


def read_node(root: Path = Path("/")) -> NodeHealth:
    """Each where it is there. OSError where the kernel does not answer."""
    return NodeHealth(k3s_connections.heard_ns(root), cilium.ailment(root))
