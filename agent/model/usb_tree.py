"""The USB as sysfs shows it, for people: what sits where, how fast, who drives it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UsbNode:
    """One device. What the kernel does not tell is ""."""

    path: str  # the bus path, e.g. 2-1; a root hub is usb2
    device_number: int
    vendor_id: str
    product_id: str
    speed_bits: int  # per second
    authorized: str  # "1" or "0"
    power_control: str  # "on" or "auto"
    runtime_status: str  # active, suspended ...
    drivers: tuple[str, ...]  # of its interfaces, each once
    links: tuple[str, ...]  # network interfaces


@dataclass(frozen=True)
class UsbPort:
    """One port of a hub. What the kernel does not tell is ""."""

    name: str  # e.g. usb2-port1
    peer: str  # the same plug at the other speed
    device: str  # the bus path of what sits in it; "" where it is empty
    state: str  # of the port, since Linux 6.6
    over_currents: int | None  # how often


@dataclass(frozen=True)
class UsbTree:
    """All of it, or as much as its bounds allow."""

    devices: tuple[UsbNode, ...]
    ports: tuple[UsbPort, ...]
    left_out: int = 0  # beyond the bounds
