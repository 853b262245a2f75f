"""What is foretold of a restart of networkd, against what the real one deletes."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from agent.audit.audit import examine
from agent.audit.host import Host
from agent.audit.kernel import list_kernel
from tests.lab import networkd_room
from tests.lab.networkd_room import Room

STATES = 24
RELEASES = ("bookworm", "trixie")
_UPLINK, _OTHER_END = "run/systemd/network/10-up0.network", "run/systemd/network/10-up1.network"
_CONF = "etc/systemd/networkd.conf.d/90-x.conf"
_SECOND = "run/systemd/network/20-second0.network"
# Kept by nobody but the one who made them; each with what makes it, once networkd is through.
RULES = (
    "ip rule add pref 9 fwmark 0x200/0xf00 lookup 2004 protocol 0",
    "ip rule add pref 10 fwmark 0xa00/0xf00 lookup 2005 protocol kernel",
    "ip rule add pref 100 lookup local protocol 0; ip rule del pref 0",
    "ip rule add pref 110 from 10.42.0.0/16 lookup 11 protocol boot",
    "ip -6 rule add pref 9 fwmark 0x200/0xf00 lookup 2004 protocol 0",
    "ip rule add pref 120 to 10.96.0.0/12 lookup 12 protocol 80",
)
ROUTES = (
    "ip route add 10.42.1.0/24 via 10.99.0.254 dev up0 proto kernel",
    "ip route add 10.44.1.0/24 via 10.99.0.254 dev up0 proto boot",
    "ip route add 10.43.1.0/26 via 10.99.0.254 dev up0 proto 80",
    "ip route add 10.45.1.0/24 via 10.99.0.254 dev up0 proto static",
    "ip route add 10.46.1.0/24 via 10.99.0.254 dev up0 proto bird metric 32",
    "ip route add 10.51.0.0/24 via 10.99.0.254 dev up0 proto dhcp",
    "ip route add 10.52.0.0/24 via 10.99.0.254 dev up0 proto ra",
    "ip route add blackhole 10.43.0.0/26 proto 80",
    "ip route add blackhole 10.53.0.0/26 proto static",
    "ip route add unreachable 10.47.0.0/26 proto boot",
    "ip route add 10.42.0.0/24 via 10.42.0.7 dev cilium_host proto kernel",
    "ip route add local default dev lo table 2004 proto kernel",
    "ip route add 10.48.0.0/24 via 10.99.0.254 dev up0 proto boot table 77",
    "ip -6 route add fd00:42::/64 dev up0 proto boot",
    "ip -6 route add fd00:43::/64 dev up0 proto kernel",
    "ip route add 10.49.0.0/24 dev second0 proto boot scope link",
)
ADDRESSES = (
    "ip address add 10.99.0.77/32 dev up0",
    "ip address add 10.99.0.78/24 dev up0",
    "ip address add 10.98.0.5/24 dev up0",
    "ip address add 10.42.0.9/32 dev cilium_host",
    "ip address add fd00:99::77/128 dev up0 nodad",
)
KEEPS = ("", "no", "static", "dhcp", "yes")


@dataclass(frozen=True)
class NodeState:
    """What a node's files say, and what others keep there."""

    by_dhcp: bool
    keeps: str
    manages_rules: bool
    manages_routes: bool
    has_second: bool  # another link that networkd manages
    second_keeps: str
    made: tuple[str, ...]

    @classmethod
    def of(cls, seed: int) -> NodeState:
        chance = random.Random(seed)
        made = [*RULES, *ROUTES, *ADDRESSES]
        return cls(
            by_dhcp=chance.random() < 0.4,
            keeps=chance.choice(KEEPS),
            manages_rules=chance.random() < 0.7,
            manages_routes=chance.random() < 0.7,
            has_second=chance.random() < 0.4,
            second_keeps=chance.choice(KEEPS),
            made=tuple(command for command in made if chance.random() < 0.6),
        )

    def files(self) -> Iterator[tuple[str, str]]:
        address = "DHCP=ipv4" if self.by_dhcp else "Address=10.99.0.2/24\nGateway=10.99.0.1"
        yield _UPLINK, UPLINK.format(f"{address}\n{_keep(self.keeps)}")
        server = "Address=10.99.0.1/24\nDHCPServer=yes\nKeepConfiguration=yes\n"
        lease = "[DHCPServer]\nEmitDNS=no\n"
        yield _OTHER_END, f"[Match]\nName=up1\n[Network]\n{server}{_QUIET}{lease}"
        if self.has_second:
            keep = _keep(self.second_keeps)
            second = f"[Match]\nName=second0\n[Network]\nAddress=10.97.0.2/24\n{keep}{_QUIET}"
            yield _SECOND, second
        rules, routes = _word(self.manages_rules), _word(self.manages_routes)
        manages = f"ManageForeignRoutingPolicyRules={rules}\nManageForeignRoutes={routes}\n"
        yield _CONF, f"[Network]\n{manages}"


_QUIET = "LinkLocalAddressing=no\n"
UPLINK = f"[Match]\nName=up0\n[Network]\n{_QUIET}{{}}"
LINKS = """
ip link add up0 type veth peer name up1
ip link add second0 type veth peer name second1
ip link add cilium_host type veth peer name cilium_net
for link in up0 up1 second0 second1 cilium_host cilium_net; do ip link set $link up; done
ip address add 10.42.0.7/32 dev cilium_host
"""


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("seed", range(STATES))
def test_what_a_restart_deletes(release: str, seed: int) -> None:
    state = NodeState.of(seed)
    with networkd_room.opened(release) as room:
        for name, text in state.files():
            room.write(f"/{name}", text)
        room.run(LINKS)
        room.start()
        room.run("; ".join(state.made), check=False)  # what needs the address by DHCP may not be
        audit = examine(Host(room.root), room.describe, room.listed)
        before = lasting(room)
        room.restart()
        lost = {kind: sorted(before[kind] - lasting(room)[kind]) for kind in before}

    assert audit.forecast is not None, audit.unanswered
    foretold = {
        "rules": sorted(audit.forecast.rules),
        "routes": sorted(audit.forecast.routes),
        "addresses": sorted(audit.forecast.addresses),
    }
    assert lost == foretold, state


def _keep(value: str) -> str:
    return f"KeepConfiguration={value}\n" if value else ""


def _word(value: bool) -> str:
    return "yes" if value else "no"


def lasting(room: Room) -> dict[str, set[str]]:
    """What there is, but for what the kernel makes with an address."""
    kernel = list_kernel(room.listed)
    return {
        "rules": {rule.words for rule in kernel.rules},
        "routes": {route.words for route in kernel.routes},
        "addresses": {
            address.words
            for address in kernel.addresses
            if not ipaddress.ip_interface(address.words).is_link_local
        },
    }
