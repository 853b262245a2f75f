"""What makes a link be as it was: the body of an RTM_SETLINK message, which never makes a link.

rp_filter as well (IFLA_INET_CONF): /proc/sys may be read-only for this program, netlink is not.
"""

from __future__ import annotations

import socket
import struct

from agent.model.cni import Entry
from agent.netlink_attributes import encoded

RTM_SETLINK = 19  # linux/rtnetlink.h
_LINK = struct.Struct("=BBHiII")  # ifinfomsg: family, -, type, ifindex, flags, change
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_AF_SPEC = 1, 3, 4, 10, 26
_IFLA_INET_CONF, _RP_FILTER = 1, 8  # linux/if_link.h; IPV4_DEVCONF_RP_FILTER, linux/ip.h
_NESTED = 0x8000
_IFF_UP = 0x1


def body(entry: Entry) -> bytes:
    """Of an entry that says what a link was like. ValueError: its value is none."""
    flags = _IFF_UP if entry.kind == "admin_down" and entry.value == "up" else 0
    change = _IFF_UP if entry.kind == "admin_down" else 0
    head = _LINK.pack(socket.AF_UNSPEC, 0, 0, entry.ifindex, flags, change)
    match entry.kind:
        case "mac":
            mac = bytes.fromhex(entry.value.replace(":", ""))
            return head + encoded({_IFLA_ADDRESS: mac})
        case "name":
            return head + encoded({_IFLA_IFNAME: entry.value.encode() + b"\0"})
        case "mtu":
            return head + encoded({_IFLA_MTU: _word(entry.value)})
        case "master":
            return head + encoded({_IFLA_MASTER: _word(entry.value)})
        case "sysctl":
            settings = encoded({_RP_FILTER: _word(entry.value)})
            of_inet = encoded({_IFLA_INET_CONF | _NESTED: settings})
            of_families = encoded({socket.AF_INET | _NESTED: of_inet})
            return head + encoded({_IFLA_AF_SPEC | _NESTED: of_families})
        case "admin_down":
            return head
        case _:
            raise ValueError(f"a {entry.kind} is nothing that a link is like")


def _word(value: str) -> bytes:
    return struct.pack("=I", int(value))
