"""The attributes that follow a netlink message's fixed part (struct nlattr, linux/netlink.h).

By hand, and not by pyroute2: what is put back must be what the kernel said, byte for byte, and a
burst of a thousand routes costs a tenth of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

_HEADER = struct.Struct("=HH")  # length with this header, type
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_WORD = struct.Struct("=I")


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each. ValueError where one is cut off."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < _HEADER.size:
            raise ValueError(f"{len(data) - offset} bytes are no attribute")
        length, kind = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            raise ValueError(f"an attribute claims {length} of {len(data) - offset} bytes")
        yield kind & _TYPE_MASK, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3  # NLA_ALIGN


def encoded(found: Mapping[int, bytes]) -> bytes:
    """The attributes as a message has them, in the order of their types."""
    parts = []
    for kind in sorted(found):
        value = found[kind]
        padding = b"\0" * (-len(value) % 4)
        parts.append(_HEADER.pack(_HEADER.size + len(value), kind) + value + padding)
    return b"".join(parts)


def word(found: Mapping[int, bytes], kind: int, default: int = 0) -> int:
    """An attribute of 32 bits. ValueError where it has others."""
    value = found.get(kind)
    if value is None:
        return default
    if len(value) != _WORD.size:
        raise ValueError(f"attribute {kind} has {len(value)} bytes")
    return int(_WORD.unpack(value)[0])


def text(found: Mapping[int, bytes], kind: int) -> str:
    """A name; "" where there is none."""
    return found.get(kind, b"").rstrip(b"\0").decode("utf-8", "backslashreplace")
