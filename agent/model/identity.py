"""What is watched: when, which link, which adapter behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


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
    lpm_permit: str = ""  # usb3_lpm_permit of its port: u1_u2, u1, u2, 0; "" where there is none
    interface: str = ""  # the USB interface that the link hangs on, e.g. 2-1:1.0


@dataclass(frozen=True)
class UsbDevice:
    """A USB device as it sits in a plug, whether or not a driver made a link of it."""

    usb_path: str
    device_number: int
    vendor_id: str
    product_id: str
    interfaces: tuple[str, ...]  # of the configuration that is chosen; none where none is
    has_link: bool  # some interface of it has a network interface, as this network namespace sees
    is_bound: bool = False  # some interface of it has a driver: ours, a VM's (usbfs), any other


@dataclass(frozen=True)
class Counters:
    """Traffic counters of a netdev, from sysfs files that take no RTNL."""

    rx_packets: int
    tx_packets: int
    rx_errors: int
    tx_errors: int
    tx_timeouts: int  # the kernel's transmit watchdog, summed over the queues
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0
    carrier_changes: int = 0


NetworkService: TypeAlias = Literal["networkd", "NetworkManager"]


@dataclass(frozen=True)
class Uplink:
    """How a physical link reaches its network: by itself, or as a port of `layer3_device`."""

    ifindex: int
    layer3_device: str  # itself, or the bridge, bond or VLAN above it that has the route
    gateway: str | None  # IPv4, of the default route through layer3_device
    default_route: bool  # IPv4 or IPv6
    witness: str | None = None  # IPv4 of the k3s server, where k3s's own configuration names it
    addressed: bool | None = None  # an address, or a route; None: not for this link to have one
    network_service: NetworkService | None = None  # who gives it its addresses
    gateway_elsewhere: bool = False  # a device that it is no part of has a default route of IPv4
    given_up: bool = False  # networkd failed to configure it, and does not try again by itself


@dataclass(frozen=True)
class NodeHealth:
    """How those on the node fare that hold on to the link; None: not there, or not to be asked."""

    k3s_heard_ns: int | None = None  # CLOCK_BOOTTIME: its server, on its connections; 0: never
    cilium: str | None = None  # what ails its agent, by its own word; "": nothing
