"""Which link leads where, from sysfs and /proc/net: nothing here takes RTNL or asks a driver.

A NIC may be a port: then addresses, routes and gateway are those of the bridge, bond or VLAN
above it. sysfs shows what is above a link as `upper_NAME` (net/core/dev.c,
netdev_adjacent_sysfs_add).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.model.identity import Uplink
from agent.observe import k3s, network_service

LEVELS_MAX = 8  # the kernel's own limit on stacking (MAX_NEST_DEV)

_RTF_GATEWAY, _RTF_REJECT = 0x2, 0x200
_FIELDS4, _FIELDS6 = 8, 10
_ADDRESS_FIELDS6, _GLOBAL = 6, "00"  # net/ipv6/addrconf.c, if6_seq_show; IPV6_ADDR_ANY


@dataclass(frozen=True)
class _DefaultRoute:
    device: str
    gateway: str | None  # IPv4
    metric: int


def read_uplinks(root: Path = Path("/")) -> tuple[Uplink, ...]:
    """One per link with hardware behind it. OSError where /sys or /proc cannot be read."""
    routes4 = sorted(_default_routes4(root), key=lambda route: route.metric)
    devices6 = set(_default_devices6(root))
    devices = {route.device for route in routes4} | devices6
    addressed_devices = set(_addressed_devices(root))
    witness = k3s.server_address(root)
    uplinks = []
    for netdev in sorted((root / "sys/class/net").iterdir()):
        if not (netdev / "device").exists():
            continue
        try:
            above = [netdev.name, *_above(root, netdev.name)]
            ifindex = int((netdev / "ifindex").read_text())
        except FileNotFoundError:
            continue  # gone meanwhile, or renamed: the event that tells of it asks anew
        routed = next((name for name in above if name in devices), None)
        gateways = (r.gateway for r in routes4 if r.device == routed and r.gateway)
        # Without a default route, an address would be that of what it is a port of.
        layer3 = routed or _master(root, netdev.name) or netdev.name
        gateway, has_route = next(gateways, None), routed is not None
        is_port = len(above) > 1 or layer3 != netdev.name
        addressed = True if addressed_devices & set(above) else None if is_port else False
        managed = network_service.managed_by(ifindex, root)
        uplink = Uplink(
            ifindex,
            layer3,
            gateway,
            has_route,
            witness,
            addressed,
            managed.service,
            gateway_elsewhere=any(route.device not in above for route in routes4),
            given_up=managed.given_up,
        )
        uplinks.append(uplink)
    return tuple(uplinks)


def _above(root: Path, device: str, level: int = 0) -> Iterator[str]:
    """Everything stacked upon a link, the nearest first."""
    if level >= LEVELS_MAX:
        return
    uppers = sorted((root / "sys/class/net" / device).glob("upper_*"))
    names = [upper.name.removeprefix("upper_") for upper in uppers]
    yield from names
    for name in names:
        yield from _above(root, name, level + 1)


def _master(root: Path, device: str) -> str | None:
    try:
        return (root / "sys/class/net" / device / "master").readlink().name
    except OSError:
        return None


def _default_routes4(root: Path) -> Iterator[_DefaultRoute]:
    """The main table's (net/ipv4/fib_trie.c, fib_route_seq_show): addresses in hex, host order."""
    for line in (root / "proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) < _FIELDS4:
            continue
        device, destination, gateway, flags, _, _, metric, mask = fields[:_FIELDS4]
        if int(destination, 16) or int(mask, 16) or int(flags, 16) & _RTF_REJECT:
            continue
        through = int(flags, 16) & _RTF_GATEWAY
        address = socket.inet_ntoa(struct.pack("=I", int(gateway, 16))) if through else None
        yield _DefaultRoute(device, address, int(metric))


def _addressed_devices(root: Path) -> Iterator[str]:
    """Devices with an IPv4 route, which every address brings along, or a global IPv6 address."""
    for line in (root / "proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) >= _FIELDS4:
            yield fields[0]
    try:
        lines = (root / "proc/net/if_inet6").read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) == _ADDRESS_FIELDS6 and fields[3] == _GLOBAL:
            yield fields[5]


def _default_devices6(root: Path) -> Iterator[str]:
    """Devices of default routes (net/ipv6/route.c, rt6_info_route); no such file without IPv6."""
    try:
        lines = (root / "proc/net/ipv6_route").read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) < _FIELDS6 or int(fields[1], 16):
            continue
        # Every IPv6 kernel has a reject route to everywhere on lo, for when there is no other.
        if not int(fields[8], 16) & _RTF_REJECT and fields[9] != "lo":
            yield fields[9]
