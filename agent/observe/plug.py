"""What USB device sits in a plug, whether or not a driver made a link of it.

Only attributes whose read takes no device lock (drivers/usb/core/sysfs.c), and names of
directories: not bConfigurationValue, which hangs with a hung device.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from agent.model.identity import UsbDevice
from agent.observe.sysfs import attribute

_GONE = (errno.ENOENT, errno.ENODEV)  # before a file was opened; between open and read


def read_plug(usb_path: str, companion_path: str, sysfs: Path) -> UsbDevice | None:
    """What is at either bus path of the plug, the faster bus first; None where nothing is.

    Raises OSError where /sys cannot be read: an empty plug is not known then.
    """
    devices = sysfs / "bus/usb/devices"
    devices.stat()  # missing, it would look like an empty plug
    paths = [path for path in (usb_path, companion_path) if path]
    for path in sorted(paths, key=lambda path: _bus_speed(devices, path), reverse=True):
        if found := _read(devices / path):
            return found
    return None


def _read(usb: Path) -> UsbDevice | None:
    """None where there is no device, or it goes away while it is read."""
    try:
        interfaces = sorted(_interfaces(usb))
        return UsbDevice(
            usb_path=usb.name,
            device_number=int(attribute(usb / "devnum")),
            vendor_id=attribute(usb / "idVendor"),
            product_id=attribute(usb / "idProduct"),
            interfaces=tuple(interfaces),
            has_link=any(_has_link(usb / name) for name in interfaces),
            is_bound=any((usb / name / "driver").is_symlink() for name in interfaces),
        )
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def _interfaces(usb: Path) -> Iterator[str]:
    """The kernel makes a directory of each, for as long as its configuration is chosen."""
    name = re.compile(rf"{re.escape(usb.name)}:\d+\.\d+", re.ASCII)
    return (entry.name for entry in usb.iterdir() if name.fullmatch(entry.name))


def _has_link(interface: Path) -> bool:
    try:
        return any((interface / "net").iterdir())
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise


def _bus_speed(devices: Path, usb_path: str) -> float:
    """Megabits a second of the bus that the path is on; 0 where there is no such bus (any more)."""
    try:
        return float(attribute(devices / f"usb{usb_path.partition('-')[0]}" / "speed"))
    except OSError as error:
        if error.errno in _GONE:
            return 0
        raise
