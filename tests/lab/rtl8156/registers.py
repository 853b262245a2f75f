"""The chip's register file as drivers/net/usb/r8152.c reads and writes it.

Two address spaces, PLA and USB; the PHY's registers show through a window of PLA at 0xb000,
whose page is chosen at 0xe86c (OCP_BASE). Everything not named here is plain memory.
"""

from __future__ import annotations

import struct

USB, PLA = 0, 1
VERSION = 0x7410  # RTL_VER_13, an RTL8156B

_PLA_IDR, _PLA_BACKUP = 0xC000, 0xD000  # the MAC address, twice
_PLA_TCR0 = 0xE610  # the version in its upper half
_PLA_BOOT_CTRL = 0xE004  # bit 1: AUTOLOAD_DONE
_PLA_OOB_CTRL = 0xE84F  # 0x32: LINK_LIST_READY, TXFIFO and RXFIFO empty
_PLA_CR = 0xE813  # bit 4: reset, clears itself
_PLA_PHYSTATUS = 0xE908
_PLA_OCP_BASE = 0xE86C
_OCP_WINDOW = range(0xB000, 0xC000)

_LINK_STATUS, _FULL_DUPLEX = 0x02, 0x01
_SPEED_BITS = {2500: 0x400, 1000: 0x10, 100: 0x08, 10: 0x04}

_PHY_STATUS, _PHY_PATCH, _PHY_PATCH_CMD = 0xA420, 0xB800, 0xB820
_LAN_ON = 3
_PHY_DEFAULTS = {0xA400: 0x1140, 0xA408: 0x0DE1, 0xA412: 0x0200}


class Registers:
    """Reads and writes of up to four bytes and of blocks; not locked, the adapter does that."""

    def __init__(self, *, speed: int, mac: bytes) -> None:
        self.link = True
        self.speed = speed  # Mb/s
        self._memory = {USB: bytearray(1 << 16), PLA: bytearray(1 << 16)}
        self._phy: dict[int, int] = {}
        pla = self._memory[PLA]
        pla[_PLA_IDR : _PLA_IDR + 6] = mac
        pla[_PLA_BACKUP : _PLA_BACKUP + 6] = mac

    def read(self, space: int, address: int, length: int) -> bytes:
        memory = self._memory[space]
        if space == PLA:
            self._refresh(memory, address, length)
        return bytes(memory[address : address + length])

    def write(self, space: int, address: int, byte_enable: int, data: bytes) -> None:
        """`byte_enable` says which of four bytes are meant; a longer block means all of it."""
        memory = self._memory[space]
        for offset, value in enumerate(data):
            if len(data) > 4 or byte_enable & (1 << (offset & 3)):
                memory[(address + offset) & 0xFFFF] = value
        if space == PLA and address in _OCP_WINDOW:
            for offset in (0, 2):
                if byte_enable & (3 << offset):
                    (value,) = struct.unpack_from("<H", memory, address + offset)
                    self._phy[self._phy_address(address + offset)] = value

    def _refresh(self, memory: bytearray, address: int, length: int) -> None:
        """What the chip changes by itself, as of now."""
        if address & ~3 == _PLA_TCR0:
            (low,) = struct.unpack_from("<H", memory, _PLA_TCR0)
            struct.pack_into("<I", memory, _PLA_TCR0, (VERSION << 16) | 0x0800 | (low & 0x1FF))
        memory[_PLA_OOB_CTRL] |= 0x32
        memory[_PLA_CR] &= ~0x10
        memory[_PLA_BOOT_CTRL] |= 2
        struct.pack_into("<H", memory, _PLA_PHYSTATUS, self._phy_status())
        if address in _OCP_WINDOW:
            for offset in range(0, length, 2):
                value = self._phy_read(self._phy_address(address + offset))
                struct.pack_into("<H", memory, address + offset, value)

    def _phy_address(self, address: int) -> int:
        base = int(struct.unpack_from("<H", self._memory[PLA], _PLA_OCP_BASE)[0])
        return (base & 0xF000) | (address & 0xFFF)

    def _phy_status(self) -> int:
        return _LINK_STATUS | _FULL_DUPLEX | _SPEED_BITS[self.speed] if self.link else 0

    def _phy_read(self, address: int) -> int:
        gigabit = self.link and self.speed >= 1000
        beyond = self.link and self.speed >= 2500
        live = {
            _PHY_STATUS: _LAN_ON,
            _PHY_PATCH: 0x40 if self._phy.get(_PHY_PATCH_CMD, 0) & 0x10 else 0,  # PATCH_READY
            0xA402: 0x796D if self.link else 0x7949,  # MII status
            0xA40A: 0x4DE1 if self.link else 0,  # link partner
            0xA414: 0x7C00 if gigabit else 0,
            0xA5D6: 0x0820 if beyond else 0,
        }
        if address in live:
            return live[address]
        return self._phy.get(address, _PHY_DEFAULTS.get(address, 0))
