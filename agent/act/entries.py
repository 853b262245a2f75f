"""Puts back rules, addresses and routes, as the kernel had them, in a thread of its own.

Not in a process, as what is done to a device: nothing here can hang but the RTNL lock, and what is
lost is to be back within milliseconds. A thread that waits for that lock is left to itself; the
queue behind it is bounded.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Mapping

from agent.act import link_setting
from agent.background import Background
from agent.model.cni import Entry, EntryKind
from agent.model.facts_of_cni import Attempt
from agent.model.outputs_of_cni import PutBack

QUEUE_MAX = 64
ANSWER_SECONDS = 5.0
_ANSWER_BYTES_MAX = 64 * 1024
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_NEW: Mapping[EntryKind, int] = {"address": 20, "route": 24, "rule": 32}  # RTM_NEW..., rtnetlink.h
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_FLAGS = _REQUEST | _ACK | _EXCL | _CREATE  # one that is there already is left as it is
_NLMSG_ERROR = 2
# What the kernel says of a route or address whose device is down or gone, whose next hop cannot be
# reached, whose source is not an address of this host (EINVAL: net/ipv4/fib_semantics.c).
_NOT_YET = (
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.EHOSTUNREACH,
    errno.ENODEV,
    errno.EINVAL,
    errno.EADDRNOTAVAIL,
)

Done = Callable[[PutBack, "tuple[Attempt, ...]"], None]


class PuttingBack:
    """Takes the actions in order; tells from its own thread what became of each."""

    def __init__(self, done: Done) -> None:
        """`done` must be safe to call from another thread."""
        self._done = done
        self._worker: Background[PutBack] | None = None  # from the first one on

    def start(self, action: PutBack) -> None:
        """Queue it; where the queue is full, that is what became of it."""
        if self._worker is None:
            self._worker = Background("putting-back", self._handle, QUEUE_MAX)
        if not self._worker.offer(action):
            self.refuse(action, f"{QUEUE_MAX} such actions are waiting already")

    def refuse(self, action: PutBack, words: str) -> None:
        """It is not done."""
        self._done(action, tuple(Attempt(entry.payload, words) for entry in action.entries))

    def close(self) -> None:
        """End; what hangs is left behind."""
        if self._worker is not None:
            self._worker.close(deadline_seconds=0.2)

    def _handle(self, action: PutBack) -> None:
        try:
            attempts = put_back(action.entries)
        except OSError as error:
            self.refuse(action, error.strerror or repr(error))
            return
        self._done(action, attempts)


def put_back(entries: tuple[Entry, ...]) -> tuple[Attempt, ...]:
    """Make each of them, and say what the kernel answered. OSError: it could not be asked."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as rtnetlink:
        rtnetlink.bind((0, 0))
        rtnetlink.settimeout(ANSWER_SECONDS)
        return tuple(_attempt(rtnetlink, number, entry) for number, entry in enumerate(entries))


def _attempt(rtnetlink: socket.socket, number: int, entry: Entry) -> Attempt:
    try:
        kind, flags, body = _message(entry)
    except ValueError as error:
        return Attempt(entry.payload, f"it cannot be written down: {error}")
    rtnetlink.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body)
    code = _errno(rtnetlink, number)
    if code in (0, errno.EEXIST):
        return Attempt(entry.payload, "")
    waits = entry.kind != "rule" and code in _NOT_YET
    return Attempt(entry.payload, os.strerror(code), waits)


def _message(entry: Entry) -> tuple[int, int, bytes]:
    """Type, flags and body of the request. ValueError."""
    if entry.device:
        return link_setting.RTM_SETLINK, _REQUEST | _ACK, link_setting.body(entry)
    return _NEW[entry.kind], _FLAGS, bytes.fromhex(entry.payload)


def _errno(rtnetlink: socket.socket, number: int) -> int:
    """An acknowledgement is an error message without an error (linux/netlink.h)."""
    while True:
        answer = rtnetlink.recv(_ANSWER_BYTES_MAX)
        _length, kind, _flags, sequence, _port = _HEADER.unpack_from(answer)
        if kind == _NLMSG_ERROR and sequence == number:
            code = answer[_HEADER.size : _HEADER.size + 4]
            return -int.from_bytes(code, sys.byteorder, signed=True)
