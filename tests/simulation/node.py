"""What holds on to the link: k3s, which may go on with an interface number that is no more.

Its dice are its own, so that what becomes of it changes nothing in the rest of a life.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from agent.model.identity import NodeHealth
from tests.simulation.hardware import Hardware


@dataclass
class _Connection:
    ifindex: int | None = None
    heard_ns: int = 0
    clings: bool = False


class NodeTruth:
    """By NIC; a node without k3s has nobody to ask."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(f"node {seed}")
        self._has_k3s = self._dice.random() < 0.7
        self._connections: dict[str, _Connection] = {}

    def pulse(self, nic: Hardware, now_ns: int, *, server_answers: bool) -> None:
        """Once a second."""
        known = self._connections.setdefault(nic.connector, _Connection(nic.ifindex))
        if nic.ifindex != known.ifindex and not known.clings:
            if self._dice.random() < 0.3:
                known.clings = True
            else:
                known.ifindex = nic.ifindex
        if server_answers and nic.passes_packets() and nic.ifindex == known.ifindex:
            known.heard_ns = now_ns

    def restart(self) -> None:
        """It begins anew with what there is, mostly."""
        if self._dice.random() < 0.8:
            self.heal()

    def heal(self) -> None:
        """It lets go of interfaces that are no more."""
        for known in self._connections.values():
            known.clings, known.ifindex = False, None

    def reboot(self) -> None:
        """All of it begins anew."""
        self._connections.clear()

    def health(self, nic: Hardware) -> NodeHealth:
        """As agent/observe/node.py reads it."""
        known = self._connections.get(nic.connector)
        return NodeHealth(known.heard_ns if known and self._has_k3s else None)
