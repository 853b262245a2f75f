"""What sits where on the USB: for whoever looks into an incident.

Only attributes whose read takes no device lock and asks no hardware (drivers/usb/core/sysfs.c,
port.c): not `product`, `serial` and bConfigurationValue, and of a port not `disable`, which locks
the hub and asks it. The tree may be read while the device is being reset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agent.model.usb_tree import UsbNode, UsbPort, UsbTree
from agent.observe.sysfs import link_name, optional

DEVICES_MAX, PORTS_MAX, INTERFACES_MAX = 128, 256, 32
_CHARACTERS_MAX = 64  # of one attribute
_MEGABIT = 1_000_000
_DEVICE = re.compile(r"usb\d+|\d+-\d+(\.\d+)*", re.ASCII)


def read_usb_tree(sysfs: Path) -> UsbTree:
    """All devices and ports, in the order of their paths. OSError where /sys cannot be read."""
    root = sysfs / "bus/usb/devices"
    found = sorted(entry for entry in root.iterdir() if _DEVICE.fullmatch(entry.name))
    ports = [port for device in found for port in sorted(_ports_of(device.resolve()))]
    devices = tuple(_node(device.resolve()) for device in found[:DEVICES_MAX])
    left_out = max(0, len(found) - DEVICES_MAX) + max(0, len(ports) - PORTS_MAX)
    return UsbTree(devices, tuple(_port(port) for port in ports[:PORTS_MAX]), left_out)


def _node(usb: Path) -> UsbNode:
    interfaces = list(islice(_interfaces_of(usb), INTERFACES_MAX))
    drivers = (link_name(interface / "driver") for interface in interfaces)
    links = (name for interface in interfaces for name in _names(interface / "net"))
    return UsbNode(
        path=usb.name,
        device_number=_number(usb / "devnum") or 0,
        vendor_id=_attribute(usb / "idVendor"),
        product_id=_attribute(usb / "idProduct"),
        speed_bits=_speed_bits(usb),
        authorized=_attribute(usb / "authorized"),
        power_control=_attribute(usb / "power/control"),
        runtime_status=_attribute(usb / "power/runtime_status"),
        drivers=tuple(dict.fromkeys(driver for driver in drivers if driver)),
        links=tuple(sorted(links)),
    )


def _port(port: Path) -> UsbPort:
    return UsbPort(
        name=port.name,
        peer=link_name(port / "peer"),
        device=link_name(port / "device"),
        state=_attribute(port / "state"),
        over_currents=_number(port / "over_current_count"),
    )


def _ports_of(usb: Path) -> Iterator[Path]:
    """A hub's only interface has its ports: usb2/2-0:1.0/usb2-port1, 2-1/2-1:1.0/2-1-port4."""
    for interface in _interfaces_of(usb):
        for name in _names(interface):
            if name.startswith(f"{usb.name}-port"):
                yield interface / name


def _interfaces_of(usb: Path) -> Iterator[Path]:
    path = f"{usb.name.removeprefix('usb')}-0" if usb.name.startswith("usb") else usb.name
    return (usb / name for name in _names(usb) if name.startswith(f"{path}:"))


def _names(folder: Path) -> list[str]:
    """A device that goes away while it is read has nothing any more."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _attribute(path: Path) -> str:
    return optional(path)[:_CHARACTERS_MAX]


def _number(path: Path) -> int | None:
    text = _attribute(path)
    return int(text) if text.isdecimal() and text.isascii() else None


def _speed_bits(usb: Path) -> int:
    try:
        return round(float(_attribute(usb / "speed")) * _MEGABIT)
    except ValueError:
        return 0
