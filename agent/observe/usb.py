"""The USB device behind a network interface, from sysfs.

Only attributes whose read takes no lock: `product`, `serial` and bConfigurationValue take
the device lock and hang with a hung device (drivers/usb/core/sysfs.c); of the netdev only
`ifindex`, which does not take RTNL (net/core/net-sysfs.c).
"""

from __future__ import annotations

from pathlib import Path

from agent.model.identity import Adapter

SYSFS = Path("/sys")

_MEGABIT = 1_000_000
_SUPERSPEED_MEGABITS = 5000


class Moved(Exception):
    """The interface is not, or no longer, the one that was asked about."""


def read_adapter(ifindex: int, device: str, sysfs: Path = SYSFS) -> tuple[Adapter | None, str]:
    """The USB device behind an interface (None: not a USB device) and the driver's name.

    Raises Moved where `device` is by now another interface, OSError where sysfs is unreadable.
    """
    netdev = sysfs / "class/net" / device
    if int(_attribute(netdev / "ifindex")) != ifindex:
        raise Moved(f"{device} is not interface {ifindex} any more")
    parent = netdev / "device"
    if not parent.exists():
        return None, ""
    interface = parent.resolve()
    driver = _link_name(interface / "driver")
    if _link_name(interface / "subsystem") != "usb":
        return None, driver
    usb = interface.parent
    return (
        Adapter(
            connector=connector(usb),
            usb_path=usb.name,
            device_number=int(_attribute(usb / "devnum")),
            driver=driver,
            vendor_id=_attribute(usb / "idVendor"),
            product_id=_attribute(usb / "idProduct"),
            usb_speed_bits=round(float(_attribute(usb / "speed")) * _MEGABIT),
            power_control=_power_control(usb),
        ),
        driver,
    )


def connector(usb: Path) -> str:
    """The plug a device sits in, as udev's ID_PATH names it, whichever speed it runs at.

    A USB 3 plug is two ports: the SuperSpeed one and its companion, `peer`, on another bus
    with other numbers. A device that fell back to USB 2 is still in the same plug.
    """
    ports = usb.name.partition("-")[2]
    root_device, superspeed = usb, None
    port = usb / "port"
    if float(_attribute(usb / "speed")) < _SUPERSPEED_MEGABITS and (port / "peer").exists():
        superspeed = (port / "peer").resolve()
    if superspeed is not None:
        # .../usb2/2-0:1.0/usb2-port1 or .../2-1/2-1:1.0/2-1-port4
        hub, _, number = superspeed.name.rpartition("-port")
        inner = hub.partition("-")[2]
        ports = f"{inner}.{number}" if inner else number
        root_device = superspeed.parent
    return f"{_controller(root_device)}-usb-0:{ports}"


def _controller(path: Path) -> str:
    """The nearest ancestor that udev's path_id would name: the controller's PCI or platform id."""
    for ancestor in path.parents:
        bus = _link_name(ancestor / "subsystem")
        if bus in ("pci", "platform"):
            return f"{bus}-{ancestor.name}"
    return "unknown"


def _attribute(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip()


def _link_name(path: Path) -> str:
    try:
        return path.readlink().name
    except OSError:
        return ""


def _power_control(usb: Path) -> str:
    try:
        return _attribute(usb / "power/control")
    except OSError:
        return ""
