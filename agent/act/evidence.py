"""Does the evidence still hold that an action was decided on? Looked at before the first write.

A bus path says where a device sits, not which it is. That is what the device number is for: the
bus gives every newcomer the next one (drivers/usb/core/hub.c, choose_devnum).
"""

from __future__ import annotations

import contextlib
import errno
import re
from pathlib import Path

from agent.act import attribute
from agent.model.actions import OnDevice

# As the kernel names devices (drivers/usb/core/usb.c, usb_alloc_dev); a root hub is usb2.
_BUS_PATH = re.compile(r"\d+-\d+(\.\d+)*", re.ASCII)
_GONE = (errno.ENOENT, errno.ENODEV)  # before it was opened; between open and read


class Refused(Exception):
    """The evidence that the action was decided on no longer holds, or never could."""


def devices(sysfs: Path) -> Path:
    """Where every USB device and interface is found under its bus path."""
    return sysfs / "bus/usb/devices"


def device_path(usb_path: str, sysfs: Path) -> Path:
    """Where the device of this bus path is, if there is one. Refused: that is no bus path."""
    if not _BUS_PATH.fullmatch(usb_path):
        raise Refused(f"{usb_path!r} is not the bus path of a USB device behind a port")
    return devices(sysfs) / usb_path


def device(action: OnDevice, sysfs: Path) -> Path:
    """The USB device, if it is still the one decided on. Raises Refused or OSError."""
    usb = device_path(action.usb_path, sysfs)
    if action.device_number is None:
        raise Refused(f"{action.step} of {action.usb_path} was decided on an empty plug")
    found = _read(usb / "devnum")
    if found != str(action.device_number):
        raise Refused(f"{action.usb_path} is device {found}, not {action.device_number}")
    if action.ifindex is not None:
        _check_link(action.device, action.ifindex, usb)
    return usb


def link(action: OnDevice, sysfs: Path) -> int:
    """The ifindex of the link, if it is still the one decided on. Raises Refused or OSError."""
    device(action, sysfs)
    if action.ifindex is None:
        raise Refused(f"{action.step} of {action.usb_path} was decided on without a link")
    return action.ifindex


def interface(action: OnDevice, name: str, sysfs: Path) -> Path:
    """An interface of the USB device decided on. Raises Refused or OSError."""
    usb = device(action, sysfs)
    if not re.fullmatch(rf"{re.escape(usb.name)}:\d+\.\d+", name, re.ASCII):
        raise Refused(f"{name!r} is not an interface of {usb.name}")
    found = devices(sysfs) / name
    if not found.exists():
        raise Refused(f"{found} is gone")
    return found


def empty_plug(action: OnDevice, companion_path: str, sysfs: Path) -> None:
    """Nothing sits in the plug, at neither speed. Raises Refused where something does."""
    for usb_path in filter(None, (action.usb_path, companion_path)):
        if device_path(usb_path, sysfs).exists():
            raise Refused(f"{usb_path} is there, and the plug was empty")


def _check_link(name: str, ifindex: int, usb: Path) -> None:
    """The device still has this link: under whatever name, which udev or a step may have changed.

    Device number and ifindex, neither of which is given twice, say which it is without a name.
    """
    for link_of_the_device in usb.glob(f"{usb.name}:*/net/*"):
        with contextlib.suppress(Refused):  # renamed between the listing and the look
            if _read(link_of_the_device / "ifindex") == str(ifindex):
                return
    raise Refused(f"{usb.name} no longer has interface {ifindex}, which was {name}")


def _read(path: Path) -> str:
    try:
        return attribute.read(path)
    except OSError as error:
        if error.errno in _GONE:
            raise Refused(f"{path} is gone") from error
        raise
