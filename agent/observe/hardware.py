"""The hardware behind a network interface, and its traffic counters, from sysfs.

Only attributes whose read takes no lock: `product`, `serial` and bConfigurationValue take
the device lock and hang with a hung device (drivers/usb/core/sysfs.c); of the netdev only
such as do not take RTNL: not `speed`, `duplex`, `carrier` (net/core/net-sysfs.c).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent.model.identity import Adapter, Counters
from agent.observe.sysfs import attribute, link_name, optional

SYSFS = Path("/sys")

_MEGABIT = 1_000_000
_SUPERSPEED_MEGABITS = 5000


class Moved(Exception):
    """The interface is not, or no longer, the one that was asked about."""


def read_adapter(ifindex: int, device: str, sysfs: Path = SYSFS) -> Adapter | None:
    """The hardware behind an interface; None where there is none (veth, bridge ...).

    Raises Moved where `device` is by now another interface, OSError where sysfs is unreadable.
    """
    netdev = sysfs / "class/net" / device
    if int(attribute(netdev / "ifindex")) != ifindex:
        raise Moved(f"{device} is not interface {ifindex} any more")
    if not (netdev / "device").exists():
        return None
    hardware = (netdev / "device").resolve()
    bus = link_name(hardware / "subsystem")
    found = Adapter(
        connector=_parent(hardware),
        bus=bus,
        driver=link_name(hardware / "driver"),
        vendor_id=optional(hardware / "vendor").removeprefix("0x"),
        product_id=optional(hardware / "device").removeprefix("0x"),
        mac_assignment=int(attribute(netdev / "addr_assign_type")),
    )
    return _usb_adapter(found, hardware.name, hardware.parent) if bus == "usb" else found


def _usb_adapter(found: Adapter, interface: str, usb: Path) -> Adapter:
    """`usb` is the device that the interface belongs to."""
    return replace(
        found,
        connector=connector(usb),
        vendor_id=attribute(usb / "idVendor"),
        product_id=attribute(usb / "idProduct"),
        usb_path=usb.name,
        companion_path=_companion_path(usb),
        device_number=int(attribute(usb / "devnum")),
        usb_speed_bits=round(float(attribute(usb / "speed")) * _MEGABIT),
        power_control=optional(usb / "power/control"),
        lpm_permit=optional(usb / "port/usb3_lpm_permit"),
        interface=interface,
    )


def connector(usb: Path) -> str:
    """The plug a device sits in, as udev's ID_PATH names it, whichever speed it runs at.

    A USB 3 plug is two ports: the SuperSpeed one and its companion, `peer`, on another bus
    with other numbers. A device that fell back to USB 2 is still in the same plug.
    """
    root_device, path = usb, usb.name
    if float(attribute(usb / "speed")) < _SUPERSPEED_MEGABITS and _companion_path(usb):
        root_device, path = (usb / "port/peer").resolve().parent, _companion_path(usb)
    return f"{_parent(root_device)}-usb-0:{path.partition('-')[2]}"


def _companion_path(usb: Path) -> str:
    """What the device would be called at the other speed: the peer port's bus path, or ""."""
    if not (usb / "port/peer").exists():
        return ""
    # .../usb2/2-0:1.0/usb2-port1 or .../2-1/2-1:1.0/2-1-port4
    hub, _, number = (usb / "port/peer").resolve().name.rpartition("-port")
    return f"{hub}.{number}" if "-" in hub else f"{hub.removeprefix('usb')}-{number}"


def _parent(path: Path) -> str:
    """The nearest that udev's path_id would name: the PCI or platform id of it or above it."""
    for ancestor in (path, *path.parents):
        bus = link_name(ancestor / "subsystem")
        if bus in ("pci", "platform"):
            return f"{bus}-{ancestor.name}"
    # vmbus, xen and whatever else has neither: its own name on its own bus.
    return f"{link_name(path / 'subsystem') or 'unknown'}-{path.name}"


def read_counters(ifindex: int, device: str, sysfs: Path = SYSFS) -> Counters:
    """The traffic counters of an interface. Raises as read_adapter does."""
    netdev = sysfs / "class/net" / device
    if int(attribute(netdev / "ifindex")) != ifindex:
        raise Moved(f"{device} is not interface {ifindex} any more")
    queues = netdev.glob("queues/tx-*/tx_timeout")
    return Counters(
        rx_packets=int(attribute(netdev / "statistics/rx_packets")),
        tx_packets=int(attribute(netdev / "statistics/tx_packets")),
        rx_errors=int(attribute(netdev / "statistics/rx_errors")),
        tx_errors=int(attribute(netdev / "statistics/tx_errors")),
        tx_timeouts=sum(int(attribute(queue)) for queue in queues),
        rx_bytes=int(attribute(netdev / "statistics/rx_bytes")),
        tx_bytes=int(attribute(netdev / "statistics/tx_bytes")),
        rx_dropped=int(attribute(netdev / "statistics/rx_dropped")),
        tx_dropped=int(attribute(netdev / "statistics/tx_dropped")),
        carrier_changes=int(attribute(netdev / "carrier_changes")),
    )
