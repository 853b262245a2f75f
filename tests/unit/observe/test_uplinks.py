"""Which link leads where, from trees like the kernel's."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from agent.model.identity import Uplink
from agent.observe.uplinks import LEVELS_MAX, read_uplinks

HEADER4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
NONE6 = "0" * 32
GATEWAY6 = "fe80" + "0" * 27 + "1"
UP, GATEWAY, REJECT = 0x1, 0x2, 0x200


def _hex4(address: str) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address))
    return f"{number:08X}"


class Machine:
    """Builds the parts of /sys and /proc that are read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.net = root / "sys/class/net"
        self.net.mkdir(parents=True)
        (root / "proc/net").mkdir(parents=True)
        self._routes4 = root / "proc/net/route"
        self._routes4.write_text(HEADER4)
        self._routes6 = root / "proc/net/ipv6_route"
        self._routes6.write_text("")

    def nic(self, device: str, ifindex: int) -> None:
        parent = self.root / "sys/devices/pci0000:00" / device
        self._link(device, ifindex, parent / "net" / device)
        (self.net / device / "device").symlink_to(parent)

    def virtual(self, device: str, ifindex: int) -> None:
        self._link(device, ifindex, self.root / "sys/devices/virtual/net" / device)

    def stack(self, lower: str, upper: str, *, master: bool = True) -> None:
        """Put a link upon another: as its bridge or bond, or (no master) as its VLAN."""
        (self.net / lower / f"upper_{upper}").symlink_to(self.net / upper)
        (self.net / upper / f"lower_{lower}").symlink_to(self.net / lower)
        if master:
            (self.net / lower / "master").symlink_to(self.net / upper)

    def route4(
        self,
        device: str,
        gateway: str = "0.0.0.0",
        metric: int = 0,
        flags: int = UP | GATEWAY,
        to: tuple[str, str] = ("0.0.0.0", "0.0.0.0"),
    ) -> None:
        destination, mask = to
        fields = (device, _hex4(destination), _hex4(gateway), f"{flags:04X}", 0, 0)
        more = (metric, _hex4(mask), 0, 0, 0)
        with self._routes4.open("a") as file:
            file.write("\t".join(map(str, (*fields, *more))).ljust(127) + "\n")

    def route6(
        self, device: str, gateway: str = GATEWAY6, flags: int = UP | GATEWAY, length: int = 0
    ) -> None:
        with self._routes6.open("a") as file:
            file.write(
                f"{NONE6} {length:02x} {NONE6} 00 {gateway} 00000400 00000001 00000000 "
                f"{flags:08x} {device:>8}\n"
            )

    def without_ipv6(self) -> None:
        self._routes6.unlink()

    def uplinks(self) -> tuple[Uplink, ...]:
        """Which way each leads; what of addresses and of other devices are tests of their own."""
        plain = {"addressed": None, "network_service": None, "gateway_elsewhere": False}
        return tuple(replace(u, **plain) for u in self.read())  # type: ignore[arg-type]

    def without_addresses(self) -> None:
        self._routes4.write_text(HEADER4)

    def read(self) -> tuple[Uplink, ...]:
        return read_uplinks(self.root)

    def address6(self, device: str, scope: str = "00") -> None:
        with (self.root / "proc/net/if_inet6").open("a") as file:
            file.write(f"{GATEWAY6} 02 40 {scope} 80 {device:>8}\n")

    def _link(self, device: str, ifindex: int, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "ifindex").write_text(f"{ifindex}\n")
        (self.net / device).symlink_to(target)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One NIC, eth0, and what every machine has besides."""
    machine = Machine(tmp_path)
    machine.virtual("lo", 1)
    machine.nic("eth0", 2)
    machine.route4("eth0", flags=UP, to=("192.168.1.0", "255.255.255.0"))
    machine.route6("lo", NONE6, UP | REJECT)
    return machine


def test_a_nic_of_its_own(machine: Machine) -> None:
    machine.route4("eth0", "192.168.1.254")

    assert (Uplink(2, "eth0", "192.168.1.254", True),) == machine.uplinks()


@pytest.mark.parametrize("upper", ["br0", "bond0"])
def test_a_port_uses_the_route_of_its_bridge_or_bond(machine: Machine, upper: str) -> None:
    machine.virtual(upper, 5)
    machine.stack("eth0", upper)
    machine.route4(upper, "10.0.0.1")

    assert (Uplink(2, upper, "10.0.0.1", True),) == machine.uplinks()


def test_all_ports_of_a_bond_lead_the_same_way(machine: Machine) -> None:
    machine.nic("eth1", 3)
    machine.virtual("bond0", 5)
    machine.stack("eth0", "bond0")
    machine.stack("eth1", "bond0")
    machine.route4("bond0", "10.0.0.1")

    expected = tuple(Uplink(ifindex, "bond0", "10.0.0.1", True) for ifindex in (2, 3))
    assert expected == machine.uplinks()


def test_a_vlan_on_a_nic(machine: Machine) -> None:
    machine.virtual("eth0.7", 5)
    machine.stack("eth0", "eth0.7", master=False)
    machine.route4("eth0.7", "10.0.7.1")

    assert (Uplink(2, "eth0.7", "10.0.7.1", True),) == machine.uplinks()


def test_a_vlan_on_a_bond_on_a_nic(machine: Machine) -> None:
    machine.virtual("bond0", 5)
    machine.virtual("bond0.7", 6)
    machine.stack("eth0", "bond0")
    machine.stack("bond0", "bond0.7", master=False)
    machine.route4("bond0.7", "10.0.7.1")

    assert (Uplink(2, "bond0.7", "10.0.7.1", True),) == machine.uplinks()


def test_the_nearest_of_several_with_a_route_counts(machine: Machine) -> None:
    machine.virtual("eth0.7", 5)
    machine.stack("eth0", "eth0.7", master=False)
    machine.route4("eth0.7", "10.0.7.1", 100)
    machine.route4("eth0", "192.168.1.254", 200)

    assert (Uplink(2, "eth0", "192.168.1.254", True),) == machine.uplinks()


def test_no_default_route(machine: Machine) -> None:
    assert (Uplink(2, "eth0", None, False),) == machine.uplinks()


def test_a_port_without_default_route_has_its_masters_addresses(machine: Machine) -> None:
    machine.virtual("br0", 5)
    machine.stack("eth0", "br0")

    assert (Uplink(2, "br0", None, False),) == machine.uplinks()


def test_a_vlan_without_default_route_changes_nothing(machine: Machine) -> None:
    machine.virtual("eth0.7", 5)
    machine.stack("eth0", "eth0.7", master=False)

    assert (Uplink(2, "eth0", None, False),) == machine.uplinks()


@pytest.mark.parametrize("metrics", [(100, 600), (600, 100)])
def test_the_gateway_is_that_of_the_lowest_metric(
    machine: Machine, metrics: tuple[int, int]
) -> None:
    for metric in metrics:
        machine.route4("eth0", f"10.0.0.{metric % 255}", metric)

    assert (Uplink(2, "eth0", "10.0.0.100", True),) == machine.uplinks()


def test_each_nic_has_its_own_gateway(machine: Machine) -> None:
    machine.nic("eth1", 3)
    machine.route4("eth1", "10.0.1.1", 100)
    machine.route4("eth0", "10.0.0.1", 600)

    expected = (Uplink(2, "eth0", "10.0.0.1", True), Uplink(3, "eth1", "10.0.1.1", True))
    assert expected == machine.uplinks()


def test_a_default_route_of_another_nic_is_not_ours(machine: Machine) -> None:
    machine.nic("eth1", 3)
    machine.route4("eth1", "10.0.1.1")

    assert Uplink(2, "eth0", None, False) == machine.uplinks()[0]


def test_a_default_route_of_ipv6_alone(machine: Machine) -> None:
    machine.route6("eth0")

    assert (Uplink(2, "eth0", None, True),) == machine.uplinks()


def test_a_default_route_of_ipv6_on_a_bridge(machine: Machine) -> None:
    machine.virtual("br0", 5)
    machine.stack("eth0", "br0")
    machine.route6("br0")

    assert (Uplink(2, "br0", None, True),) == machine.uplinks()


def test_an_on_link_default_route_has_no_gateway(machine: Machine) -> None:
    machine.route4("eth0", flags=UP)

    assert (Uplink(2, "eth0", None, True),) == machine.uplinks()


@pytest.mark.parametrize("flags", [UP | REJECT, UP | GATEWAY | REJECT])
def test_a_route_that_rejects_is_none(machine: Machine, flags: int) -> None:
    machine.route4("eth0", flags=flags)
    machine.route6("eth0", flags=flags)

    assert (Uplink(2, "eth0", None, False),) == machine.uplinks()


def test_half_of_the_world_is_no_default(machine: Machine) -> None:
    machine.route4("eth0", "10.0.0.1", to=("0.0.0.0", "128.0.0.0"))
    machine.route4("eth0", "10.0.0.1", to=("128.0.0.0", "128.0.0.0"))
    machine.route6("eth0", length=1)

    assert (Uplink(2, "eth0", None, False),) == machine.uplinks()


def test_a_kernel_without_ipv6(machine: Machine) -> None:
    machine.without_ipv6()
    machine.route4("eth0", "192.168.1.254")

    assert (Uplink(2, "eth0", "192.168.1.254", True),) == machine.uplinks()


def test_a_route_of_ipv4_says_that_it_has_an_address(machine: Machine) -> None:
    machine.without_addresses()
    assert [False] == [u.addressed for u in machine.read()]
    machine.route4("eth0", flags=UP, to=("192.168.1.0", "255.255.255.0"))
    assert [True] == [u.addressed for u in machine.read()]


@pytest.mark.parametrize(("scope", "addressed"), [("00", True), ("20", False)])
def test_a_global_address_of_ipv6_is_one(machine: Machine, scope: str, addressed: bool) -> None:
    machine.without_addresses()
    machine.address6("eth0", scope)
    assert [addressed] == [u.addressed for u in machine.read()]


def test_a_port_need_not_have_an_address_and_its_bridge_may(machine: Machine) -> None:
    machine.without_addresses()
    machine.virtual("br0", 5)
    machine.stack("eth0", "br0")
    assert [None] == [u.addressed for u in machine.read()]
    machine.route4("br0", flags=UP, to=("192.168.1.0", "255.255.255.0"))
    assert [True] == [u.addressed for u in machine.read()]


def test_a_default_route_of_another_device_is_told_whatever_that_is(machine: Machine) -> None:
    machine.route4("eth0", "192.168.1.254")
    assert [False] == [u.gateway_elsewhere for u in machine.read()]
    machine.route6("eth1")  # as another NIC has it wherever a router says so
    assert [False] == [u.gateway_elsewhere for u in machine.read()]
    machine.route4("tun0", flags=UP)
    assert [True] == [u.gateway_elsewhere for u in machine.read()]


def test_a_default_route_of_its_bridge_is_its_own(machine: Machine) -> None:
    machine.virtual("br0", 5)
    machine.stack("eth0", "br0")
    machine.route4("br0", "192.168.1.254")
    assert [False] == [u.gateway_elsewhere for u in machine.read()]


def test_who_manages_it_is_told(machine: Machine) -> None:
    links = machine.root / "run/systemd/netif/links"
    links.mkdir(parents=True)
    (links.parent / "state").touch()
    (links / "2").write_text("NETWORK_FILE=/etc/systemd/network/20.network\n")
    assert ["networkd"] == [u.network_service for u in machine.read()]


def test_broken_lines_are_passed_over(machine: Machine) -> None:
    with (machine.root / "proc/net/route").open("a") as file:
        file.write("eth0\t00000000\n\n")
    with (machine.root / "proc/net/ipv6_route").open("a") as file:
        file.write(f"{NONE6} 00\n\n")

    assert (Uplink(2, "eth0", None, False),) == machine.uplinks()


def test_the_bonding_drivers_file_among_the_links_is_no_link(machine: Machine) -> None:
    (machine.net / "bonding_masters").write_text("bond0\n")

    assert 1 == len(machine.uplinks())


def test_a_ring_of_links_ends(machine: Machine) -> None:
    for number in range(LEVELS_MAX + 1):
        machine.virtual(f"v{number}", 10 + number)
        machine.stack("eth0" if not number else f"v{number - 1}", f"v{number}", master=False)
    machine.stack(f"v{LEVELS_MAX}", "v0", master=False)

    assert (Uplink(2, "eth0", None, False),) == machine.uplinks()


def test_what_cannot_be_read_is_told(machine: Machine) -> None:
    (machine.root / "proc/net/route").unlink()

    with pytest.raises(FileNotFoundError):
        machine.uplinks()


def test_a_link_that_goes_meanwhile_is_passed_over(machine: Machine) -> None:
    (machine.root / "sys/devices/pci0000:00/eth0/net/eth0/ifindex").unlink()

    assert () == machine.uplinks()


def test_one_that_is_renamed_in_the_middle_is_passed_over(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(directory: Path, _pattern: str) -> NoReturn:
        raise FileNotFoundError(str(directory))

    monkeypatch.setattr(Path, "glob", vanished)  # between its look and its listing (pathlib.py)

    assert () == machine.uplinks()
