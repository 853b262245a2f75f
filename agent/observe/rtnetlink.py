"""Links from the kernel's own messages: the event socket, and the listing of all links.

Neither reads sysfs: a read of `speed` or `carrier` there takes the RTNL lock, and with a
hung adapter holds up every other user of it (facts: usb-nic.md 4).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from agent.model.facts import Fact, LinkGone, LinkSeen
from agent.model.identity import Link, Stamp
from agent.netlink_messages import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWLINK,
    MarshalRtnl,
    ifinfmsg,
)
from agent.observe import clock, netlink
from agent.observe.event_socket import (
    DATAGRAM_BYTES_MAX,
    EventSocket,
    loss_in_words,
    open_events,
)

SOURCE = "rtnetlink"
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
DATAGRAMS_PER_READ_MAX = 64
LISTING_ATTEMPTS_MAX = 3

_LINK_GROUP = 1  # RTNLGRP_LINK, linux/rtnetlink.h
_NLM_F_DUMP_INTR = 0x10  # the dump was interrupted by a change and is inconsistent
_RTEXT_FILTER_SKIP_STATS = 0x8  # a node has hundreds of links, and nobody here asks for theirs
_IFF_UP = 0x1
_ARPHRD_ETHER = 1


class LinkEvents(EventSocket):
    """The rtnetlink event socket. Losing messages re-opens it and says so with a SourceGap."""

    def __init__(self) -> None:
        """Open the socket; OSError where the kernel has no rtnetlink."""
        self._marshal = MarshalRtnl()
        super().__init__(SOURCE, _open_event_socket)

    def read(self) -> tuple[list[Fact], bool]:
        """What has arrived, without waiting, and whether that was all of it.

        Bounded, so that a storm leaves the loop its turn.
        """
        facts: list[Fact] = []
        if self._socket is None:
            return self._retry(), True
        for _ in range(DATAGRAMS_PER_READ_MAX):
            try:
                data, _ancillary, flags, sender = self._socket.recvmsg(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return facts, True
            except OSError as error:
                return [*facts, *self.reopen(loss_in_words(error))], True
            at = clock.now()
            if flags & socket.MSG_TRUNC:
                gap = self.reopen("a message larger than the read buffer was cut off")
                return [*facts, *gap], True
            if sender[0] != 0:  # not from the kernel
                continue
            try:
                facts.extend(_facts(self._marshal, data, at))
            except Exception as error:  # noqa: BLE001  whatever a malformed message does to the parser
                return [*facts, *self.reopen(f"an unreadable message: {error!r}")], True
        return facts, False


def list_links(timeout_seconds: float) -> tuple[Link, ...]:
    """Every link, by one RTM_GETLINK dump; blocks, so never call it in the loop.

    Raises OSError, TimeoutError among them. A held RTNL can block inside send() for longer
    than the timeout: the caller keeps its own deadline.
    """
    for _ in range(LISTING_ATTEMPTS_MAX):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as request:
            request.bind((0, 0))
            request.settimeout(timeout_seconds)
            request.send(_dump_request())
            links = _read_dump(request, time.monotonic() + timeout_seconds)
        if links is not None:
            return links
    raise OSError(errno.EAGAIN, "links change faster than they can be listed")


def _open_event_socket() -> socket.socket:
    return open_events((_LINK_GROUP,), RECEIVE_BUFFER_BYTES)


def _facts(marshal: MarshalRtnl, data: bytes, at: Stamp) -> Iterator[Fact]:
    netlink.bounds(data)
    for message in marshal.parse(data):
        if message["header"]["error"] is not None:
            raise ValueError(message["header"]["error"])
        kind = message["header"]["type"]
        # Bridges and IPv6 send RTM_NEWLINK of their own family (AF_BRIDGE, AF_INET6), partial
        # messages; an AF_BRIDGE RTM_DELLINK means "left the bridge", not "gone".
        if kind not in (RTM_NEWLINK, RTM_DELLINK) or message["family"] != socket.AF_UNSPEC:
            continue
        link = _link(message)
        if not link.physical:
            continue  # no NIC; a node's pods make hundreds of these
        if kind == RTM_DELLINK:
            yield LinkGone(at, link.ifindex, link.device)
        else:
            yield LinkSeen(at, link)


def _check_done(data: bytes) -> None:
    """The last message carries an errno: a dump that broke off is no list of what is there."""
    code = int.from_bytes(data[-4:], sys.byteorder, signed=True)
    if code < 0:
        raise OSError(-code, f"the list of links broke off: {os.strerror(-code)}")


def _link(message: Any) -> Link:
    """One RTM_NEWLINK or RTM_DELLINK message as a Link."""
    device = message.get_attr("IFLA_IFNAME")
    if isinstance(device, bytes):  # pyroute2's answer to a name that is not UTF-8
        device = device.decode("utf-8", "backslashreplace")
    if not device:
        raise ValueError(f"no name in the message on interface {message['index']}")
    info = message.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info is not None else None
    permanent = message.get_attr("IFLA_PERM_ADDRESS")
    return Link(
        ifindex=message["index"],
        device=device,
        mac=(permanent or message.get_attr("IFLA_ADDRESS") or "").lower(),
        permanent_mac=(permanent or "").lower(),
        admin_up=bool(message["flags"] & _IFF_UP),
        carrier=bool(message.get_attr("IFLA_CARRIER")),
        carrier_up_count=message.get_attr("IFLA_CARRIER_UP_COUNT") or 0,
        carrier_down_count=message.get_attr("IFLA_CARRIER_DOWN_COUNT") or 0,
        physical=message["ifi_type"] == _ARPHRD_ETHER and kind is None,
    )


def _dump_request() -> bytes:
    message = ifinfmsg()
    message["family"] = socket.AF_UNSPEC
    message["header"]["type"] = RTM_GETLINK
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    message["header"]["sequence_number"] = 1
    message["attrs"] = [("IFLA_EXT_MASK", _RTEXT_FILTER_SKIP_STATS)]
    message.encode()
    return bytes(message.data)


def _read_dump(request: socket.socket, deadline_monotonic: float) -> tuple[Link, ...] | None:
    """The links of one dump; None where it was interrupted and must be repeated."""
    marshal = MarshalRtnl()
    links: list[Link] = []
    interrupted = False
    while time.monotonic() < deadline_monotonic:
        data, _ancillary, flags, _sender = request.recvmsg(DATAGRAM_BYTES_MAX)
        if flags & socket.MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, "a part of the list of links was cut off")
        netlink.bounds(data)
        for message in marshal.parse(data):
            header = message["header"]
            interrupted = interrupted or bool(header["flags"] & _NLM_F_DUMP_INTR)
            if header["type"] == NLMSG_ERROR:
                raise OSError(errno.EIO, f"the kernel refused to list links: {header['error']}")
            if header["type"] == NLMSG_DONE:
                _check_done(data)
                return None if interrupted else tuple(links)
            if header["type"] == RTM_NEWLINK:
                links.append(_link(message))
    raise TimeoutError(errno.ETIMEDOUT, "the list of links did not end in time")
