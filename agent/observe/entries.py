"""Rules, routes and addresses from rtnetlink's messages, each with the bytes to put it back.

Those bytes are the message's body without what is not the entry's own: its age (RTA_CACHEINFO,
IFA_CACHEINFO), the state of its next hop (RTNH_F_DEAD, RTNH_F_LINKDOWN), of its check for
duplicates (IFA_F_TENTATIVE), of a rule's devices (FIB_RULE_IIF_DETACHED). So one that comes back
is known again.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping

from agent.model.cni import Entry
from agent.netlink_attributes import attributes, encoded, text, word

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18  # linux/rtnetlink.h
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_NEWRULE, RTM_GETRULE = 32, 34

_MAIN_TABLE, _LOCAL_TABLE = 254, 255  # RT_TABLE_MAIN, RT_TABLE_LOCAL
_TABLES = {253: "default", _MAIN_TABLE: "main", _LOCAL_TABLE: "local"}
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# What the kernel itself makes on every device that is up, and makes again.
_KERNELS_OWN = (ipaddress.IPv6Network("fe80::/10"), ipaddress.IPv6Network("ff00::/8"))

_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: ..., table, protocol, scope, type, flags
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY = 1, 4, 5, 6
_RTA_MULTIPATH, _RTA_CACHEINFO, _RTA_TABLE, _RTA_EXPIRES, _RTA_NH_ID = 9, 12, 15, 23, 30
_NEXT_HOP = struct.Struct("=HBBi")  # rtnexthop: length with its attributes, flags, weight, ifindex
_RTM_F_CLONED = 0x200
_RTN_UNICAST = 1
_ROUTE_TYPES = {2: "local ", 6: "blackhole ", 7: "unreachable ", 8: "prohibit ", 9: "throw "}
_ROUTE_KINDS = (_RTN_UNICAST, *_ROUTE_TYPES)
# ONLINK alone is the entry's own: the others are what became of its next hop.
_RTNH_F_ONLINK = 0x4

_RULE = struct.Struct("=BBBBBBBBI")  # fib_rule_hdr: ..., table, -, -, action, flags
_FRA_DST, _FRA_SRC, _FRA_IIFNAME, _FRA_PRIORITY, _FRA_FWMARK = 1, 2, 3, 6, 10
_FRA_TABLE, _FRA_FWMASK, _FRA_OIFNAME, _FRA_PROTOCOL = 15, 16, 17, 21
_FIB_RULE_INVERT = 0x2
_FR_ACT_TO_TBL = 1
_ALL_BITS = 0xFFFFFFFF

_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, ifindex
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 6, 8
_IFA_F_PERMANENT = 0x80
_LEASED = 16  # RTPROT_DHCP: an address that ends by itself is a lease, whoever got it
# OPTIMISTIC, DADFAILED, DEPRECATED, TENTATIVE, STABLE_PRIVACY's kin stay or go with time.
_IFA_F_PASSING = 0x04 | 0x08 | 0x20 | 0x40


def entry(kind: int, body: bytes) -> Entry | None:
    """What an RTM_NEW... or RTM_DEL... message is about; None where that is of no interest.

    ValueError where it cannot be read.
    """
    reader = _READERS.get(kind & ~1)
    if reader is None or not body or body[0] not in _FAMILIES:
        return None
    try:
        return reader(body)
    except struct.error as error:
        raise ValueError(f"message {kind} has {len(body)} bytes: {error}") from error


def _route(body: bytes) -> Entry | None:
    family, to_bits, from_bits, tos, table, protocol, scope, kind, flags = _ROUTE.unpack_from(body)
    found = dict(attributes(body[_ROUTE.size :]))
    table = word(found, _RTA_TABLE, table)
    destination = _network(found.get(_RTA_DST), to_bits)
    if table == _LOCAL_TABLE or kind not in _ROUTE_KINDS or flags & _RTM_F_CLONED:
        return None
    if _RTA_NH_ID in found or _is_kernels_own(destination):
        return None  # of a nexthop object, whose fate is another one's
    for passing in (_RTA_CACHEINFO, _RTA_EXPIRES):
        found.pop(passing, None)
    head = _ROUTE.pack(
        *(family, to_bits, from_bits, tos, table & 0xFF, protocol, scope, kind),
        flags & _RTNH_F_ONLINK,
    )
    ifindex = word(found, _RTA_OIF)
    if _RTA_MULTIPATH in found:
        found[_RTA_MULTIPATH], ifindex = _next_hops(found[_RTA_MULTIPATH])
    gateway = _address(found.get(_RTA_GATEWAY))
    metric = word(found, _RTA_PRIORITY)
    words = f"{_ROUTE_TYPES.get(kind, '')}{destination or 'default'}"
    words += f" via {gateway}" if gateway else ""
    return Entry(
        kind="route",
        payload=(head + encoded(found)).hex(),
        family=family,
        words=words + (f" table {table}" if table != _MAIN_TABLE else ""),
        table=table,
        priority=metric,
        protocol=protocol,
        destination=destination,
        gateway=gateway,
        ifindex=ifindex,
    )


def _next_hops(value: bytes) -> tuple[bytes, int]:
    """All of them without their state, and the first one's device."""
    hops, offset, first = bytearray(value), 0, 0
    while offset + _NEXT_HOP.size <= len(value):
        length, flags, weight, ifindex = _NEXT_HOP.unpack_from(value, offset)
        _NEXT_HOP.pack_into(hops, offset, length, flags & _RTNH_F_ONLINK, weight, ifindex)
        first = first or ifindex
        offset += max((length + 3) & ~3, _NEXT_HOP.size)
    return bytes(hops), first


def _rule(body: bytes) -> Entry:
    family, to_bits, from_bits, tos, table, _one, _two, action, flags = _RULE.unpack_from(body)
    found = dict(attributes(body[_RULE.size :]))
    table = word(found, _FRA_TABLE, table)
    invert = flags & _FIB_RULE_INVERT
    head = _RULE.pack(family, to_bits, from_bits, tos, table & 0xFF, 0, 0, action, invert)
    priority = word(found, _FRA_PRIORITY)
    found.setdefault(_FRA_PRIORITY, struct.pack("=I", 0))  # 0 is not told, and must be asked for
    return Entry(
        kind="rule",
        payload=(head + encoded(found)).hex(),
        family=family,
        words=_rule_words(found, priority, table, to_bits, from_bits, negated=bool(invert)),
        table=table,
        priority=priority,
        protocol=found.get(_FRA_PROTOCOL, b"\0")[0],
        looks_up=action == _FR_ACT_TO_TBL,
    )


def _rule_words(
    found: Mapping[int, bytes],
    priority: int,
    table: int,
    to_bits: int,
    from_bits: int,
    *,
    negated: bool,
) -> str:
    words = [f"{priority}:"]
    words += ["not"] * negated
    words.append(f"from {_network(found.get(_FRA_SRC), from_bits) or 'all'}")
    if _FRA_DST in found:
        words.append(f"to {_network(found[_FRA_DST], to_bits)}")
    if _FRA_FWMARK in found:
        mask = word(found, _FRA_FWMASK, _ALL_BITS)
        shown = "" if mask == _ALL_BITS else f"/{mask:#x}"
        words.append(f"fwmark {word(found, _FRA_FWMARK):#x}{shown}")
    for kind, name in ((_FRA_IIFNAME, "iif"), (_FRA_OIFNAME, "oif")):
        if kind in found:
            words.append(f"{name} {text(found, kind)}")
    words.append(f"lookup {_TABLES.get(table, table)}")
    return " ".join(words)


def _address_entry(body: bytes) -> Entry | None:
    family, bits, flags, scope, ifindex = _ADDRESS.unpack_from(body)
    found = dict(attributes(body[_ADDRESS.size :]))
    all_flags = word(found, _IFA_FLAGS, flags)
    address = _network(found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS)), bits)
    if not address or _is_kernels_own(address):
        return None
    found.pop(_IFA_CACHEINFO, None)
    found[_IFA_FLAGS] = struct.pack("=I", all_flags & ~_IFA_F_PASSING)
    head = _ADDRESS.pack(family, bits, flags & ~_IFA_F_PASSING, scope, ifindex)
    return Entry(
        kind="address",
        payload=(head + encoded(found)).hex(),
        family=family,
        words=address,
        protocol=0 if all_flags & _IFA_F_PERMANENT else _LEASED,
        destination=address,
        ifindex=ifindex,
    )


_READERS: Mapping[int, Callable[[bytes], Entry | None]] = {
    RTM_NEWROUTE: _route,
    RTM_NEWRULE: _rule,
    RTM_NEWADDR: _address_entry,
}


def _address(packed: bytes | None) -> str:
    if packed is None:
        return ""
    return str(ipaddress.ip_address(packed))


def _network(packed: bytes | None, bits: int) -> str:
    if packed is None:
        return ""
    return f"{ipaddress.ip_address(packed)}/{bits}"


def _is_kernels_own(network: str) -> bool:
    if not network or ":" not in network:
        return False
    address = ipaddress.IPv6Address(network.partition("/")[0])
    return any(address in own for own in _KERNELS_OWN)
