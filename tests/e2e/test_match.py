"""Which .network and .link file is for a link: our reading against networkd's and udev's."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator, Mapping

import pytest

from agent.audit.audit import candidate, examine
from agent.audit.files import choose
from agent.audit.host import Host
from tests.lab import networkd_room
from tests.lab.networkd_room import Room

SETS = 12
RELEASES = ("bookworm", "trixie")
DIRECTORIES = ("etc/systemd/network", "run/systemd/network", "usr/lib/systemd/network")
FILES = ("05-a", "10-cni-veth", "10-netplan-up", "15-b", "50-c", "zz-d")
# A pair of veths shows both names; what else there is depends on the kernel at hand.
LINKS = {
    "up0": "veth peer name up1",
    "cilium_host": "veth peer name cilium_net",
    "lxc0a1b2c": "veth peer name tmp0a1b2c",
    "cali0123": "veth peer name eth7",
    "cni0": "bridge",
    "br-lan": "bridge",
    "flannel.1": "vxlan id 1 dstport 8472 dev up0",
    "cilium_vxlan": "vxlan id 2 dstport 8473 dev up0",
    "vlan9": "link up0 vlan id 9",
}
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
PATTERNS = {
    "Name": (
        *("*", "up*", "lxc*", "cilium_*", "!lxc* cilium_*", "cni0 br-*", "up? eth7", "[cu]*"),
        *("!up0", "flannel.1", "vlan9 up1", "", "nothing"),
    ),
    "Type": ("ether", "bridge", "vxlan", "vlan", "!ether", "!bridge vxlan", "ether vxlan"),
    "Kind": ("veth", "bridge", "vxlan", "!veth", "veth vlan"),
    "Driver": ("veth", "bridge", "vxlan", "!veth", "802.1Q*"),
    "MACAddress": (MACS[0], MACS[1].upper(), f"{MACS[0]} {MACS[1]}", "0200.0000.0001"),
    "Virtualization": ("!container", "yes"),
    "Path": ("pci-*", "!pci-*"),
    "PermanentMACAddress": MACS,
}
WEIGHTS = (10, 4, 4, 4, 3, 1, 2, 2)


def files_of(seed: int, suffix: str = ".network") -> Iterator[tuple[str, str]]:
    """Names and texts; a text that is empty masks the weaker ones of its name."""
    for name, text in _network_files(seed):
        if suffix == ".network":
            yield name, text
        else:
            # Name= becomes OriginalName=, and what is set is harmless.
            body = text.replace("\nName=", "\nOriginalName=")
            body = body.replace("[Network]\nLinkLocalAddressing=no\n", "[Link]\nNamePolicy=\n")
            yield name.replace(".network", suffix), body.replace("Unmanaged=yes\n", "")


def _network_files(seed: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(seed)
    for name in FILES:
        for directory in DIRECTORIES:
            if chance.random() < 0.35:
                yield f"{directory}/{name}.network", _text(chance)
        if chance.random() < 0.2:
            match = _line(chance)
            yield f"{chance.choice(DIRECTORIES)}/{name}.network.d/10-x.conf", f"[Match]\n{match}"


def _text(chance: random.Random) -> str:
    if chance.random() < 0.1:
        return ""
    match = "".join(_line(chance) for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3))))
    unmanaged = "[Link]\nUnmanaged=yes\n" if chance.random() < 0.3 else ""
    return f"# {chance.random()}\n[Match]\n{match}[Network]\nLinkLocalAddressing=no\n{unmanaged}"


def _line(chance: random.Random) -> str:
    (key,) = chance.choices(tuple(PATTERNS), WEIGHTS)
    return f"{key}={chance.choice(PATTERNS[key])}\n"


@contextlib.contextmanager
def furnished(release: str, written: Mapping[str, str]) -> Iterator[Room]:
    """With these files and the links."""
    with networkd_room.opened(release) as room:
        for name, text in written.items():
            room.write(f"/{name}", text)
        for name, kind in LINKS.items():
            before, _, rest = kind.rpartition("link up0 ")
            words = f"{before}link up0 name {name} type {rest}" if "link up0" in kind else ""
            room.run(f"ip link add {words or f'{name} type {kind}'}", check=False)
        room.run(f"ip link set cilium_host address {MACS[0]}; ip link set up1 address {MACS[1]}")
        yield room


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("seed", range(SETS))
def test_the_file_that_networkd_chooses(release: str, seed: int) -> None:
    written = dict(files_of(seed))
    with furnished(release, written) as room:
        room.start()
        audit = examine(Host(room.root), room.describe, room.listed)

        assert audit.networkd is not None, audit.unanswered
        wrong = []
        for link in audit.networkd.links:
            choice = choose(audit.networks, candidate(link))
            if not choice.is_known:
                assert all(file.match.unknown_keys for file in choice.because_of)
                continue
            file = choice.file
            ours = audit.host.shown(file.path) if file and not file.is_unmanaged else ""
            if ours != link.file:
                wrong.append((link, ours))
    assert [] == wrong, written


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("seed", range(SETS))
def test_the_link_file_that_udev_chooses(release: str, seed: int) -> None:
    written = dict(files_of(seed, ".link"))
    with furnished(release, written) as room:
        room.start()  # it says what each link is
        audit = examine(Host(room.root), room.describe, room.listed)

        assert audit.networkd is not None, audit.unanswered
        wrong = []
        for link in audit.networkd.links:
            choice = choose(audit.links, candidate(link))
            if choice.is_known and link.name != "lo":  # which udev has no rule for
                ours = audit.host.shown(choice.file.path) if choice.file else ""
                udevs = _of_udev(room, link.name)
                wrong += [(link, ours, udevs)] if ours != udevs else []
    assert [] == wrong, written


def _of_udev(room: Room, name: str) -> str:
    said = room.run(f"udevadm test -a add /sys/class/net/{name} 2>&1", check=False).stdout
    found = re.search(r"^\s*ID_NET_LINK_FILE=(.*)$", said, re.MULTILINE)
    return found[1] if found else ""
