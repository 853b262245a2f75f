"""The USB descriptors of an RTL8156B: configuration 1 is Realtek's own, configuration 2 is CDC NCM.

Values as a real adapter gives them (lsusb -v), shortened where no driver looks.
"""

from __future__ import annotations

import struct

DEVICE, CONFIGURATION, STRING, BOS = 1, 2, 3, 15  # what a descriptor describes

REALTEK, NCM = 1, 2  # configuration values
EP_RECEIVE, EP_TRANSMIT, EP_INTERRUPT = 1, 2, 3
VENDOR_ID, PRODUCT_ID, RELEASE = 0x0BDA, 0x8156, 0x3104
MAC = bytes.fromhex("6c1ff71be8c8")

_BULK, _INTERRUPT = 2, 3
_STRINGS = {
    1: "Realtek",
    2: "USB 10/100/1G/2.5G LAN",
    3: MAC.hex().upper(),
    4: "CDC Data",
    5: "CDC Comm",
    6: "401000001",
}


def device(*, superspeed: bool) -> bytes:
    """USB 3.2 at SuperSpeed, USB 2.1 on a companion port."""
    version, packet = (0x0320, 9) if superspeed else (0x0210, 64)
    ids = (VENDOR_ID, PRODUCT_ID, RELEASE)
    return struct.pack("<BBHBBBBHHHBBBB", 18, 1, version, 0, 0, 0, packet, *ids, 1, 2, 6, 2)


def configuration(index: int, *, superspeed: bool) -> bytes | None:
    """Descriptor `index` (0 is Realtek's, 1 is NCM's) with all its interfaces."""
    bodies = {0: (1, REALTEK, _realtek), 1: (2, NCM, _ncm)}
    if index not in bodies:
        return None
    interfaces, value, body = bodies[index]
    content = body(superspeed=superspeed)
    power = 32 if superspeed else 128
    head = (9, 2, 9 + len(content), interfaces, value, 0, 0xA0, power)
    return struct.pack("<BBHBBBBB", *head) + content


def string(index: int) -> bytes | None:
    """String `index`; number 0 lists the languages: English."""
    if index == 0:
        return bytes([4, 3, 9, 4])
    if index not in _STRINGS:
        return None
    text = _STRINGS[index].encode("utf-16le")
    return bytes([2 + len(text), 3]) + text


def binary_object_store() -> bytes:
    """Says that it knows link power management and SuperSpeed."""
    lpm = struct.pack("<BBBI", 7, 16, 2, 0x2)
    superspeed = struct.pack("<BBBBHBBH", 10, 16, 3, 2, 0x0E, 1, 10, 2047)
    return struct.pack("<BBHB", 5, 15, 5 + len(lpm) + len(superspeed), 2) + lpm + superspeed


def _endpoint(address: int, kind: int, packet: int, interval: int, *, superspeed: bool) -> bytes:
    content = struct.pack("<BBBBHB", 7, 5, address, kind, packet, interval)
    if superspeed:
        content += struct.pack("<BBBBH", 6, 0x30, 0, 0, packet if kind == _INTERRUPT else 0)
    return content


def _bulk_pair(*, superspeed: bool) -> bytes:
    packet = 1024 if superspeed else 512
    return _endpoint(0x81, _BULK, packet, 0, superspeed=superspeed) + _endpoint(
        0x02, _BULK, packet, 0, superspeed=superspeed
    )


def _realtek(*, superspeed: bool) -> bytes:
    interface = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 3, 0xFF, 0xFF, 0, 0)
    pair = _bulk_pair(superspeed=superspeed)
    return interface + pair + _endpoint(0x83, _INTERRUPT, 2, 8, superspeed=superspeed)


def _ncm(*, superspeed: bool) -> bytes:
    return b"".join(
        (
            struct.pack("<BBBBBBBB", 8, 11, 0, 2, 2, 0x0D, 0, 5),
            struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 1, 2, 0x0D, 0, 5),
            struct.pack("<BBBH", 5, 0x24, 0, 0x110),  # header
            struct.pack("<BBBBB", 5, 0x24, 6, 0, 1),  # union
            struct.pack("<BBBBIHHB", 13, 0x24, 0x0F, 3, 0, 1514, 0, 0),  # Ethernet
            struct.pack("<BBBHB", 6, 0x24, 0x1A, 0x100, 0x01),  # NCM
            _endpoint(0x83, _INTERRUPT, 16, 9, superspeed=superspeed),
            struct.pack("<BBBBBBBBB", 9, 4, 1, 0, 0, 0x0A, 0, 1, 0),
            struct.pack("<BBBBBBBBB", 9, 4, 1, 1, 2, 0x0A, 0, 1, 4),
            _bulk_pair(superspeed=superspeed),
        )
    )
