"""What is watched: when, which link, which adapter behind it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stamp:
    """When something was observed.

    `boottime_ns` is CLOCK_BOOTTIME: it never steps and counts suspends; durations come from
    it. `wall_ns` is Unix time: for people and metrics, never for arithmetic.
    """

    boottime_ns: int
    wall_ns: int


@dataclass(frozen=True)
class Link:
    """A network interface as one RTM_NEWLINK message describes it.

    The two counts are the kernel's own (IFLA_CARRIER_UP_COUNT, _DOWN_COUNT) and exact, even
    where several carrier changes share one message (net/core/link_watch.c coalesces).
    """

    ifindex: int
    device: str
    mac: str
    admin_up: bool
    carrier: bool
    carrier_up_count: int
    carrier_down_count: int
    physical: bool  # an Ethernet link without an rtnl kind: not a veth, bridge, vxlan ...


@dataclass(frozen=True)
class Adapter:
    """The USB device behind a link, read from sysfs attributes that take no device lock."""

    connector: str  # udev's ID_PATH form, SuperSpeed side, e.g. pci-0000:00:14.0-usb-0:1
    usb_path: str  # the kernel's bus path, e.g. 2-1; changes with bus and port
    device_number: int  # changes with every enumeration
    driver: str
    vendor_id: str  # four hex digits
    product_id: str
    usb_speed_bits: int  # per second
    power_control: str  # "on" or "auto" (autosuspend); "" where unreadable
