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
    mac: str  # the permanent one where there is one, else the present one
    permanent_mac: str  # "" where the adapter has none: it could not be read, or is made up
    admin_up: bool
    carrier: bool
    carrier_up_count: int
    carrier_down_count: int
    physical: bool  # an Ethernet link without an rtnl kind: not a veth, bridge, vxlan ...


@dataclass(frozen=True)
class Adapter:
    """The hardware behind a link, read from sysfs attributes that take no lock that hangs."""

    connector: str  # udev's ID_PATH form, SuperSpeed side, e.g. pci-0000:00:14.0-usb-0:1
    bus: str  # usb, pci, platform, virtio ...
    driver: str
    vendor_id: str  # four hex digits, "" where the bus has none
    product_id: str
    mac_assignment: int  # addr_assign_type: 0 permanent, 1 random, 2 taken over, 3 set by hand
    usb_path: str = ""  # the kernel's bus path, e.g. 2-1; changes with bus and port
    companion_path: str = ""  # the same plug at the other speed, e.g. 1-1
    device_number: int = 0  # changes with every enumeration
    usb_speed_bits: int = 0  # per second
    power_control: str = ""  # "on" or "auto" (autosuspend); "" where unreadable


@dataclass(frozen=True)
class Counters:
    """Traffic counters of a netdev, from sysfs files that take no RTNL."""

    rx_packets: int
    tx_packets: int
    rx_errors: int
    tx_errors: int
    tx_timeouts: int  # the kernel's transmit watchdog, summed over the queues


@dataclass(frozen=True)
class Uplink:
    """How a physical link reaches its network: by itself, or as a port of `layer3_device`."""

    ifindex: int
    layer3_device: str  # itself, or the bridge, bond or VLAN above it that has the route
    gateway: str | None  # IPv4, of the default route through layer3_device
    default_route: bool  # IPv4 or IPv6
