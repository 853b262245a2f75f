"""The host's rules, routes, addresses and links: the event socket, and the listing of all of it.

A socket of its own, beside that of the NICs (rtnetlink.py): a thousand pods' routes a second must
not cost the NIC's events their place in the queue.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import time

from agent.model.cni import Entry, EntryChange, FilterChange, HostLink
from agent.model.facts import Fact
from agent.model.facts_of_cni import NetworkChanged
from agent.netlink_attributes import attributes, text, word
from agent.observe import clock, netlink
from agent.observe.entries import (
    RTM_DELLINK,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWLINK,
    entry,
)
from agent.observe.event_socket import (
    DATAGRAM_BYTES_MAX,
    EventSocket,
    loss_in_words,
    open_events,
)

SOURCE = "network"
RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024
DATAGRAMS_PER_READ_MAX = 256
LISTING_ATTEMPTS_MAX = 3

# linux/rtnetlink.h: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE,
# IPV4_NETCONF
_GROUPS = (1, 5, 7, 8, 9, 11, 19, 24)
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_LINK = struct.Struct("=BBHiII")  # ifinfomsg: family, -, type, ifindex, flags, change
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_AF_SPEC = 1, 3, 4, 10, 26
_IFLA_INET_CONF, _RP_FILTER = 1, 8  # linux/if_link.h; IPV4_DEVCONF_RP_FILTER, linux/ip.h
_RTM_NEWNETCONF, _NETCONF_BYTES = 80, 4  # linux/netconf.h: netconfmsg, padded
_NETCONFA_IFINDEX, _NETCONFA_RP_FILTER = 1, 3
_IFF_UP = 0x1
_NLM_F_REQUEST, _NLM_F_DUMP, _NLM_F_REPLACE, _NLM_F_DUMP_INTR = 0x1, 0x300, 0x100, 0x10
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_DUMPS = (RTM_GETLINK, RTM_GETRULE, RTM_GETADDR, RTM_GETROUTE)


class NetworkEvents(EventSocket):
    """The event socket. Losing messages re-opens it and says so with a SourceGap."""

    def __init__(self) -> None:
        """Open the socket; OSError where the kernel has no rtnetlink."""
        super().__init__(SOURCE, lambda: open_events(_GROUPS, RECEIVE_BUFFER_BYTES))

    def read(self) -> tuple[list[Fact], bool]:
        """What has arrived, in one fact, and whether that was all. Bounded, and never waits."""
        if self._socket is None:
            return self._retry(), True
        batch = _Batch()
        try:
            for _ in range(DATAGRAMS_PER_READ_MAX):
                data, _ancillary, flags, sender = self._socket.recvmsg(DATAGRAM_BYTES_MAX)
                if sender[0] == 0:  # from the kernel
                    batch.take(data, is_whole=not flags & socket.MSG_TRUNC)
        except BlockingIOError:
            return batch.facts(), True
        except (OSError, ValueError) as error:
            return [*batch.facts(), *self.reopen(_in_words(error))], True
        return batch.facts(), False


class _Batch:
    """What one look brings."""

    def __init__(self) -> None:
        self._at = clock.now()
        self._entries: list[EntryChange] = []
        self._links: dict[int, HostLink] = {}
        self._gone: list[int] = []
        self._filters: dict[int, FilterChange] = {}
        self._downs: set[int] = set()

    def take(self, data: bytes, *, is_whole: bool) -> None:
        if not is_whole:
            raise ValueError("larger than the read buffer, and cut off")
        for begin, end in netlink.bounds(data):
            _length, kind, flags, _sequence, port = _HEADER.unpack_from(data, begin)
            body = data[begin + _HEADER.size : end]
            if kind in (RTM_NEWLINK, RTM_DELLINK):
                self._take_link(kind, body)
                continue
            if kind == _RTM_NEWNETCONF:
                self._take_filter(body)
                continue
            found = entry(kind, body)
            if found is not None:
                is_there = kind & 1 == 0
                replaces = is_there and bool(flags & _NLM_F_REPLACE)
                self._entries.append(EntryChange(found, is_there, port, replaces))

    def _take_link(self, kind: int, body: bytes) -> None:
        link = _host_link(body)
        if link is None:
            return
        if kind == RTM_DELLINK:
            self._links.pop(link.ifindex, None)
            self._gone.append(link.ifindex)
        else:
            self._links[link.ifindex] = link
            self._downs |= set() if link.is_up else {link.ifindex}
        self._filters.pop(link.ifindex, None)  # the link's own message is the later word

    def _take_filter(self, body: bytes) -> None:
        found = dict(attributes(body[_NETCONF_BYTES:]))
        if body[0] == socket.AF_INET and _NETCONFA_RP_FILTER in found:
            # -1 and -2 stand for "all" and "default", which are no links (linux/netconf.h).
            ifindex = int.from_bytes(found[_NETCONFA_IFINDEX], sys.byteorder, signed=True)
            if ifindex > 0:
                change = FilterChange(ifindex, word(found, _NETCONFA_RP_FILTER))
                self._filters[ifindex] = change

    def facts(self) -> list[Fact]:
        entries, links, gone = tuple(self._entries), tuple(self._links.values()), tuple(self._gone)
        filters = tuple(self._filters.values())
        if not (entries or links or gone or filters):
            return []
        downs = tuple(sorted(self._downs))
        return [NetworkChanged(self._at, entries, links, gone, filters, downs)]


def list_network(timeout_seconds: float) -> tuple[tuple[Entry, ...], tuple[HostLink, ...]]:
    """All entries and links, by dumps; blocks, so never call it in the loop. Raises OSError."""
    deadline = time.monotonic() + timeout_seconds
    for _ in range(LISTING_ATTEMPTS_MAX):
        entries: list[Entry] = []
        links: list[HostLink] = []
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as request:
            request.bind((0, 0))
            request.settimeout(timeout_seconds)
            is_whole = all(_dump(request, kind, entries, links, deadline) for kind in _DUMPS)
        if is_whole:
            return tuple(entries), tuple(links)
    raise OSError(errno.EAGAIN, "routes change faster than they can be listed")


def _dump(
    request: socket.socket,
    kind: int,
    entries: list[Entry],
    links: list[HostLink],
    deadline_monotonic: float,
) -> bool:
    """Add what one dump says; False where it was interrupted by a change."""
    ask = _HEADER.pack(_HEADER.size + _LINK.size, kind, _NLM_F_REQUEST | _NLM_F_DUMP, kind, 0)
    request.send(ask + b"\0" * _LINK.size)  # the largest of the fixed parts: all of it zero
    is_whole = True
    while time.monotonic() < deadline_monotonic:
        data, _ancillary, flags, _sender = request.recvmsg(DATAGRAM_BYTES_MAX)
        if flags & socket.MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, "a part of the list was cut off")
        for begin, end in netlink.bounds(data):
            _length, found_kind, message_flags, _sequence, _port = _HEADER.unpack_from(data, begin)
            is_whole = is_whole and not message_flags & _NLM_F_DUMP_INTR
            body = data[begin + _HEADER.size : end]
            if found_kind in (_NLMSG_ERROR, _NLMSG_DONE):
                _check(body)
                return is_whole
            if found_kind == RTM_NEWLINK:
                link = _host_link(body)
                links += [link] if link is not None else []
                continue
            found = entry(found_kind, body)
            entries += [found] if found is not None else []
    raise TimeoutError(errno.ETIMEDOUT, "the list did not end in time")


def _check(body: bytes) -> None:
    """Both ends of a dump carry an errno."""
    code = int.from_bytes(body[:4], sys.byteorder, signed=True)
    if code < 0:
        raise OSError(-code, f"the list broke off: {os.strerror(-code)}")


def _host_link(body: bytes) -> HostLink | None:
    """None for bridges' and IPv6's partial messages on a link."""
    if len(body) < _LINK.size:
        raise ValueError(f"a link's message has {len(body)} bytes")
    family, _padding, _kind, ifindex, flags, _change = _LINK.unpack_from(body)
    if family != socket.AF_UNSPEC:
        return None
    found = dict(attributes(body[_LINK.size :]))
    return HostLink(
        ifindex=ifindex,
        name=text(found, _IFLA_IFNAME),
        is_up=bool(flags & _IFF_UP),
        mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
        mtu=word(found, _IFLA_MTU),
        master=word(found, _IFLA_MASTER),
        rp_filter=_rp_filter(found.get(_IFLA_AF_SPEC, b"")),
    )


def _rp_filter(specifications: bytes) -> int | None:
    """From AF_INET's part, an array of all that is set of a link (net/ipv4/devinet.c)."""
    of_family = dict(attributes(specifications)).get(socket.AF_INET, b"")
    settings = dict(attributes(of_family)).get(_IFLA_INET_CONF, b"")
    one = settings[4 * (_RP_FILTER - 1) : 4 * _RP_FILTER]
    return int.from_bytes(one, sys.byteorder) if one else None


def _in_words(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return loss_in_words(error)
    return f"an unreadable message: {error}"
