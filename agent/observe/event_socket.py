"""A socket on which the kernel tells of changes: opened, lost, opened anew.

Neither of the two that use it (rtnetlink.py, network.py) may lose messages without a word: whatever
goes wrong, the socket is replaced, and a SourceGap says that what was known is stale.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterable

from agent.model.facts import Fact, SourceGap
from agent.observe import clock

DATAGRAM_BYTES_MAX = 64 * 1024
RETRY_SECONDS = 1.0  # between attempts to open it anew

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python's socket module does not name it
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1


class EventSocket:
    """What both have; how messages are read is theirs."""

    def __init__(self, source: str, open_socket: Callable[[], socket.socket]) -> None:
        """Open it; OSError where the kernel has no rtnetlink."""
        self._source, self._open_socket = source, open_socket
        self._socket: socket.socket | None = open_socket()
        self._retry_at = 0.0
        self.failure: str | None = None

    def fileno(self) -> int | None:
        """For the selector; it changes when the socket is re-opened, None while it cannot be."""
        return None if self._socket is None else self._socket.fileno()

    def close(self) -> None:
        """Release the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def reopen(self, reason: str) -> list[Fact]:
        """A fresh socket has an empty queue: what follows is newer than the listing asked for.

        Where none can be had (no descriptors, no memory) `failure` says so, and it is tried
        again; the gap is told once it is there.
        """
        self.close()
        try:
            self._socket = self._open_socket()
        except OSError as error:
            self.failure = f"{reason}; it cannot be opened anew: {error.strerror}"
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return []
        self.failure = None
        return [SourceGap(clock.now(), self._source, reason)]

    def _retry(self) -> list[Fact]:
        if time.monotonic() < self._retry_at:
            return []
        return self.reopen("it could not be opened for a while")


def open_events(groups: Iterable[int], buffer_bytes: int) -> socket.socket:
    """A socket that hears of these groups (enum rtnetlink_groups, linux/rtnetlink.h). OSError."""
    events = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
    )
    try:
        events.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
    except PermissionError:
        # Without CAP_NET_ADMIN the kernel caps this at net.core.rmem_max.
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    events.bind((0, 0))
    for group in groups:
        events.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
    return events


def loss_in_words(error: OSError) -> str:
    """Why it is replaced."""
    if error.errno == errno.ENOBUFS:
        return "events came faster than they were read (ENOBUFS)"
    return f"reading failed: {error.strerror or error}"
