"""Control transfers other than to Realtek's registers: USB's own requests, and CDC NCM's."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.lab.rtl8156 import descriptors

# bmRequestType.
_FROM_DEVICE = 0x80
_STATUS_KINDS = {0x80, 0x81, 0x82}  # of the device, an interface, an endpoint
_TO_KINDS = {0x00, 0x01, 0x02}
_CLASS_FROM_INTERFACE, _CLASS_TO_INTERFACE = 0xA1, 0x21
VENDOR_READ, VENDOR_WRITE = 0xC0, 0x40

# USB 3.2 table 9-5.
_GET_STATUS, _CLEAR_FEATURE, _SET_FEATURE, _SET_ADDRESS, _GET_DESCRIPTOR = 0, 1, 3, 5, 6
_GET_CONFIGURATION, _SET_CONFIGURATION, _SET_INTERFACE = 8, 9, 11
_SET_SEL, _SET_ISOCH_DELAY = 0x30, 0x31
_TAKEN = (_CLEAR_FEATURE, _SET_FEATURE, _SET_ADDRESS, _SET_INTERFACE, _SET_SEL, _SET_ISOCH_DELAY)

# USB CDC NCM 1.0 table 6-2.
_NTB_BYTES = 16384
_NCM_ANSWERS = {
    0x80: struct.pack("<HHIHHHHIHHHH", 28, 1, _NTB_BYTES, 4, 0, 4, 0, _NTB_BYTES, 4, 0, 4, 0),
    0x83: struct.pack("<H", 0),  # GET_NTB_FORMAT: 16 bit
    0x85: struct.pack("<I", _NTB_BYTES),  # GET_NTB_INPUT_SIZE
    0x87: struct.pack("<H", 1514),  # GET_MAX_DATAGRAM_SIZE
    0x89: struct.pack("<H", 0),  # GET_CRC_MODE: none
}


# What hub_port_init() in drivers/usb/core/hub.c asks for, and nobody else: a device that was just
# reset, of whose endpoint 0 the host does not know yet how much it takes.
_JUST_RESET_BYTES = (8, 64)
_DEVICE_DESCRIPTOR = descriptors.DEVICE << 8


@dataclass(frozen=True)
class Setup:
    """The eight bytes that begin a control transfer."""

    kind: int
    request: int
    value: int
    index: int
    length: int

    @property
    def follows_reset(self) -> bool:
        """Whether the port was reset just before."""
        asked = (self.kind, self.request, self.value)
        first = (_FROM_DEVICE, _GET_DESCRIPTOR, _DEVICE_DESCRIPTOR)
        return asked == first and self.length in _JUST_RESET_BYTES

    @property
    def leaves_configuration(self) -> bool:
        """Whether the host takes the configuration away, to choose another one or none."""
        return (self.kind, self.request, self.value) == (0, _SET_CONFIGURATION, 0)


def setup(packet: bytes) -> Setup:
    return Setup(*struct.unpack("<BBHHH", packet))


class StandardRequests:
    """Remembers the configuration that the host chose, and answers all else from tables."""

    def __init__(self, *, superspeed: bool) -> None:
        self.configuration = 0
        self._superspeed = superspeed

    def answer(self, asked: Setup) -> bytes | None:
        """The data to send, empty where the host sends; None is a stall: not supported."""
        key = (asked.kind, asked.request)
        if key == (_FROM_DEVICE, _GET_DESCRIPTOR):
            return self._descriptor(asked.value >> 8, asked.value & 0xFF)
        if key == (_FROM_DEVICE, _GET_CONFIGURATION):
            return bytes([self.configuration])
        if key == (0, _SET_CONFIGURATION):
            self.configuration = asked.value & 0xFF
            return b""
        if asked.kind == _CLASS_FROM_INTERFACE:
            return _NCM_ANSWERS.get(asked.request)
        if asked.request == _GET_STATUS and asked.kind in _STATUS_KINDS:
            return struct.pack("<H", 0)
        taken = asked.kind in _TO_KINDS and asked.request in _TAKEN
        return b"" if taken or asked.kind == _CLASS_TO_INTERFACE else None

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == descriptors.DEVICE:
            return descriptors.device(superspeed=self._superspeed)
        if kind == descriptors.CONFIGURATION:
            return descriptors.configuration(index, superspeed=self._superspeed)
        if kind == descriptors.STRING:
            return descriptors.string(index)
        return descriptors.binary_object_store() if kind == descriptors.BOS else None
