"""Whose a netlink port is: port -> socket -> who holds it; remembered by the socket.

A port is not a process number, though the first socket of a process mostly has the number of its
process, in a pod the one that it has *there*; further ones have any.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from agent.model.cni import Requester
from agent.observe import holder_service, process, socket_holders
from agent.observe.socket_holders import Holder

KNOWN_MAX = 1024
_NETLINK_ROUTE = "0"


class Requesters:
    """Answers for one thread, and remembers."""

    def __init__(self, root: Path = Path("/"), address: str = holder_service.ADDRESS) -> None:
        """Nothing is known."""
        self._proc, self._address = root / "proc", address
        self._known: dict[str, Holder] = {}  # by inode
        self._is_prepared = False

    def prepare(self) -> None:
        """Look at all that there are, so that the first who deletes something is known at once.

        Once: it is a look at every process. Who cannot be seen then is looked for when it matters.
        """
        if self._is_prepared:
            return
        self._is_prepared = True
        with contextlib.suppress(OSError):
            self._look(list(self._inodes().values()))

    def find(self, port: int) -> Requester | None:
        """Who holds it; None: nobody does any more. OSError: somebody, and who cannot be seen."""
        inode = self._inodes().get(port)
        if inode is None:
            return None
        known = self._known.get(inode)
        if known is None or not self._is_there(known):
            self._known.pop(inode, None)
            self._look([inode])
            known = self._known.get(inode)
        if known is None:
            raise OSError(f"whoever has netlink port {port} cannot be seen")
        return known.requester

    def _inodes(self) -> dict[int, str]:
        """By port: `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode` of /proc/net/netlink."""
        lines = (self._proc / "net/netlink").read_text(encoding="ascii").splitlines()[1:]
        rows = (line.split() for line in lines)
        return {int(row[2]): row[9] for row in rows if row[1] == _NETLINK_ROUTE}

    def _look(self, inodes: list[str]) -> None:
        self._learn(socket_holders.find(inodes, self._proc))
        hidden = [inode for inode in inodes if inode not in self._known]
        if hidden:
            self._learn(holder_service.ask(hidden, self._address))

    def _learn(self, found: Mapping[str, Holder]) -> None:
        if len(self._known) + len(found) > KNOWN_MAX:
            self._known.clear()
        self._known |= found

    def _is_there(self, known: Holder) -> bool:
        if known.kept:
            return True  # by PID 1: whichever process it is by now, the unit is the same
        there = process.identity(known.requester.pid, self._proc)
        return there is not None and there[0] == known.start
