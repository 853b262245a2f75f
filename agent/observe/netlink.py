"""Where each message of a netlink datagram is: looked at before anybody decodes it."""

from __future__ import annotations

import sys

HEADER_BYTES = 16  # struct nlmsghdr, linux/netlink.h


def bounds(data: bytes) -> list[tuple[int, int]]:
    """(from, to) of each. ValueError where one is cut off.

    pyroute2's parser ends without a word at a message that is: a lost event is no trifle.
    """
    found, offset = [], 0
    while offset < len(data):
        left = len(data) - offset
        length = int.from_bytes(data[offset : offset + 4], sys.byteorder)
        if left < HEADER_BYTES or not HEADER_BYTES <= length <= left:
            raise ValueError(f"{left} bytes left, and the message claims {length}")
        found.append((offset, offset + length))
        offset += (length + 3) & ~3  # NLMSG_ALIGN
    return found
