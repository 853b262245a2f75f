"""Ethernet frames between r8152's transfers and a tap device: the network behind the adapter.

A transmit transfer holds frames of 8 descriptor bytes each, a receive transfer one frame behind
24 (struct tx_desc, rx_desc in r8152.c). Segmentation (TSO) is not done: switch it off.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator

TAP, NAMESPACE, GATEWAY = "gw0", "lan", "192.168.77.1/24"
FRAME_BYTES_MAX = 65536

_TUNSETIFF, _IFF_TAP_NO_PI = 0x400454CA, 0x1002
_TX_LENGTH, _TX_CHECKSUM_LEFT = 0x3FFFF, 0xC0000000  # TX_LEN_MAX; UDP_CS, TCP_CS
_IPV4, _IPV6 = 0x0800, 0x86DD
_CHECKSUM_AT = {6: 16, 17: 6}  # TCP, UDP: where in their header


class Tap:
    """A tap device in a network namespace of its own, with the gateway's address."""

    def __init__(self) -> None:
        self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        request = struct.pack("16sH22s", TAP.encode(), _IFF_TAP_NO_PI, b"")
        fcntl.ioctl(self._fd, _TUNSETIFF, request)
        if not os.path.exists(f"/run/netns/{NAMESPACE}"):  # noqa: PTH110  no pathlib needed
            _ip("netns", "add", NAMESPACE)
        _ip("link", "set", TAP, "netns", NAMESPACE)
        _ip("-n", NAMESPACE, "address", "add", GATEWAY, "dev", TAP)
        _ip("-n", NAMESPACE, "link", "set", TAP, "up")

    def read(self) -> bytes:
        """The next frame towards the adapter; blocks."""
        return os.read(self._fd, FRAME_BYTES_MAX)

    def write(self, frame: bytes) -> None:
        """A frame from the adapter; lost where the tap does not take it, as on a cable."""
        with contextlib.suppress(OSError):
            os.write(self._fd, frame)


def transmitted(transfer: bytes) -> Iterator[bytes]:
    """The frames of a transmit transfer, their checksums filled in where the driver left them."""
    offset = 0
    while offset + 8 <= len(transfer):
        first, second = struct.unpack_from("<II", transfer, offset)
        length = first & _TX_LENGTH
        start = offset + 8
        if not length or start + length > len(transfer):
            return
        frame = bytes(transfer[start : start + length])
        yield _with_checksum(frame) if second & _TX_CHECKSUM_LEFT else frame
        offset = (start + length + 3) & ~3


def received(frame: bytes) -> bytes:
    """A receive transfer of one frame; the length counts the CRC's four bytes."""
    padded = frame.ljust(60, b"\0")
    return struct.pack("<IIIIII", len(padded) + 4, 0, 0, 0, 0, 0) + padded + b"\0" * 4


def _with_checksum(frame: bytes) -> bytes:
    """TCP or UDP over IPv4 or IPv6 (RFC 1071, RFC 8200 8.1)."""
    (kind,) = struct.unpack_from(">H", frame, 12)
    if kind == _IPV4:
        header = 14 + (frame[14] & 15) * 4
        protocol, addresses = frame[23], frame[26:34]
        end = 14 + struct.unpack_from(">H", frame, 16)[0]
    elif kind == _IPV6:
        header, protocol, addresses = 54, frame[20], frame[22:54]
        end = 54 + struct.unpack_from(">H", frame, 18)[0]
    else:
        return frame
    at = _CHECKSUM_AT.get(protocol)
    if at is None or end > len(frame):
        return frame
    whole = bytearray(frame)
    whole[header + at : header + at + 2] = b"\0\0"
    segment = bytes(whole[header:end])
    covered = addresses + struct.pack(">HH", protocol, len(segment)) + segment
    covered += b"\0" * (len(covered) % 2)
    total = sum(struct.unpack(f">{len(covered) // 2}H", covered))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into(">H", whole, header + at, (~total & 0xFFFF) or 0xFFFF)
    return bytes(whole)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
