"""Sets a link up or down, or names it, by rtnetlink: by its ifindex, as names change hands."""

from __future__ import annotations

import errno
import os
import socket
import sys

from agent.netlink_messages import NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, RTM_SETLINK, ifinfmsg

_IFF_UP = 0x1
_ANSWER_BYTES_MAX = 64 * 1024
_HEADER_BYTES = 16  # struct nlmsghdr: length (4), type (2), flags, sequence, port


def set_up(ifindex: int, *, up: bool) -> None:
    """Set the link up or down, and wait for the kernel's word on it. Raises OSError.

    Waits for RTNL, and for a driver that may hang: the caller has a deadline.
    """
    message = _message(ifindex)
    message["flags"] = _IFF_UP if up else 0
    message["change"] = _IFF_UP
    _ask(message, f"interface {ifindex} cannot be set {'up' if up else 'down'}")


def rename(ifindex: int, name: str) -> None:
    """Give the link a name; it must be down. Raises OSError."""
    message = _message(ifindex)
    message["attrs"] = [("IFLA_IFNAME", name)]
    _ask(message, f"interface {ifindex} cannot be called {name}")


def _ask(message: ifinfmsg, refusal: str) -> None:
    message.encode()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as rtnetlink:
        rtnetlink.bind((0, 0))
        rtnetlink.send(bytes(message.data))
        answer = rtnetlink.recv(_ANSWER_BYTES_MAX)
    code = _errno(answer)
    if code:
        raise OSError(code, f"{refusal}: {os.strerror(code)}")


def _errno(answer: bytes) -> int:
    """An acknowledgement is an error message without an error (linux/netlink.h)."""
    if int.from_bytes(answer[4:6], sys.byteorder) != NLMSG_ERROR:
        return errno.EPROTO
    return -int.from_bytes(answer[_HEADER_BYTES : _HEADER_BYTES + 4], sys.byteorder, signed=True)


def _message(ifindex: int) -> ifinfmsg:
    message = ifinfmsg()
    message["family"] = socket.AF_UNSPEC
    message["header"]["type"] = RTM_SETLINK  # unlike RTM_NEWLINK it never makes a link
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK
    message["header"]["sequence_number"] = 1
    message["index"] = ifindex
    return message
