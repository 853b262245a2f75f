"""`nodemend cni audit` and `cni apply` against the real systemd-networkd of each release."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_forecast import LINKS, UPLINK, lasting
from tests.lab import networkd_room
from tests.lab.networkd_room import Room
from tools import doctor_file

RELEASES = ("bookworm", "trixie")
NODEMEND = "/opt/nodemend/current/bin/nodemend"
CILIUM = "/etc/cni/net.d/05-cilium.conflist"
NETPLANS = "/run/systemd/network/10-netplan-up0.network"
# As a cluster had them, and believed in them.
VETH, LXC = "/etc/systemd/network/10-cni-veth.network", "/etc/systemd/network/15-cni-lxc.network"
THE_CLUSTERS = {
    VETH: "[Match]\nDriver=veth\n\n[Link]\nUnmanaged=yes\n",
    LXC: "[Match]\nName=lxc*\n\n[Link]\nUnmanaged=yes\nMACAddressPolicy=none\n",
}
# No veth: one of the cluster's files would have networkd let go of that.
A_VETH = "ip link add up0 type veth peer name up1"
A_BRIDGE = (
    "ip link add up0 type bridge forward_delay 0; ip link add up9 type veth peer name up1; "
    "ip link set up9 master up0 up"
)
MADE = (
    "ip rule add pref 9 fwmark 0x200/0xf00 lookup 2004 protocol 0",
    "ip rule add pref 100 lookup local protocol 0; ip rule del pref 0",
    "ip route add 10.42.1.0/24 via 10.99.0.254 dev up0 proto kernel",
    "ip route add 10.44.1.0/24 via 10.99.0.254 dev up0 proto boot",
    "ip route add blackhole 10.43.0.0/26 proto 80",
    "ip address add 10.99.0.77/32 dev up0",
)


@pytest.fixture(params=RELEASES)
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    """A node with Cilium, configured by netplan."""
    with networkd_room.opened(request.param) as room:
        room.write(CILIUM, "{}")
        room.write(NETPLANS, UPLINK.format("Address=10.99.0.2/24\nGateway=10.99.0.1\n"))
        room.run(LINKS.replace(A_VETH, A_BRIDGE))
        yield room


def make(room: Room) -> dict[str, set[str]]:
    """What the CNI has, once networkd is through."""
    room.start()
    room.run("; ".join(MADE))
    return lasting(room)


def missing(room: Room, before: dict[str, set[str]]) -> set[str]:
    now = lasting(room)
    return {words for kind, all_of_it in before.items() for words in all_of_it - now[kind]}


def audit(room: Room) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(room.run(f"{NODEMEND} cni audit --json", check=False).stdout)
    return found


def answer(found: dict[str, Any], name: str) -> dict[str, str]:
    return next(check for check in found["checks"] if check["check"] == name)


def apply(room: Room, *options: str) -> str:
    return room.run(f"{NODEMEND} cni apply {' '.join(options)}").stdout


def test_the_files_of_the_cluster_are_seen_through(room: Room) -> None:
    for name, text in THE_CLUSTERS.items():
        room.write(name, text)
    before = make(room)
    found = audit(room)
    room.restart()
    lost = missing(room, before)

    told = found["forecast"]
    assert lost == {*told["rules"], *told["routes"], *told["addresses"]}
    assert lost, "they do not protect what networkd deletes"
    for check in ("cni_rules", "cni_routes"):
        assert "no" == answer(found, check)["outcome"]
        assert f"{VETH}, {LXC} do not change that" in answer(found, check)["words"]
    ignored = answer(found, "misplaced_keys")["words"]
    assert f"{LXC}, line 6: MACAddressPolicy= below [Link] is for .link files" == ignored


def test_with_what_apply_writes_nothing_is_lost(room: Room) -> None:
    before = make(room)
    assert "wrote /etc/systemd/networkd.conf.d/90-cni-guard.conf" in apply(room)
    room.restart()
    assert set() == missing(room, before)
    assert {"rules": [], "routes": [], "addresses": []} == audit(room)["forecast"]

    room.run("ip link set up1 down; sleep 3; ip link set up1 up")
    room.wait_until_settled()
    assert set() == missing(room, before), "a flap of the uplink"
    room.restart()
    assert set() == missing(room, before)
    wrong = [c["check"] for c in audit(room)["checks"] if c["outcome"] != "yes"]
    assert [] == wrong


def test_it_is_taken_back_to_the_letter(room: Room) -> None:
    room.write(LXC, THE_CLUSTERS[LXC])
    make(room)
    files = "find /etc/systemd /etc/sysctl.d /etc/NetworkManager -type f | sort | xargs md5sum"
    before = room.run(files, check=False).stdout
    dry = apply(room, "--dry-run", "--retire")
    assert "+ManageForeignRoutes=no" in dry
    assert before == room.run(files, check=False).stdout

    assert f"retired {LXC}" in apply(room, "--retire")
    assert "nothing is written" in apply(room)
    assert before != room.run(files, check=False).stdout
    assert f"brought back {LXC}" in apply(room, "--remove")
    assert before == room.run(files, check=False).stdout


def test_what_somebody_changed_by_hand_stays(room: Room) -> None:
    make(room)
    apply(room)
    ours = "/etc/systemd/network/00-cni-guard.network"
    room.run(f"echo '# mine' >> {ours}")

    refused = room.run(f"{NODEMEND} cni apply", check=False)
    assert (1, True) == (refused.returncode, f"{ours} is in the way" in refused.stderr)
    removed = room.run(f"{NODEMEND} cni apply --remove", check=False)
    assert (1, True) == (removed.returncode, f"{ours} was changed by hand" in removed.stderr)
    assert "# mine" in room.read(ours)


def test_a_broad_file_of_netplans_is_told_before_it_does_harm(room: Room) -> None:
    broad = "[Match]\nType=ether\nName=!up* second*\n\n[Network]\nDHCP=yes\n"
    room.write("/run/systemd/network/10-netplan-all.network", broad)
    room.write(LXC, THE_CLUSTERS[LXC])
    room.start()
    said = answer(audit(room), "cni_links")

    assert "no" == said["outcome"]
    assert (
        "lxc* (veth) would be managed by /run/systemd/network/10-netplan-all.network"
        in (said["words"])
    )
    assert "DHCP=yes (line 6)" in said["words"]
    assert f"{LXC}, which would spare it, sorts after that one" in said["words"]
    apply(room)
    room.restart()
    assert "yes" == answer(audit(room), "cni_links")["outcome"]


def test_the_doctor_in_one_file_says_the_same_with_nothing_installed(
    room: Room, tmp_path: Path
) -> None:
    make(room)
    doctor = tmp_path / "doctor.pyz"
    doctor_file.build(doctor)
    room.put(doctor, "/tmp/doctor.pyz")
    room.run("mv /opt/nodemend /opt/away")
    done = room.run("python3 -I -S /tmp/doctor.pyz --json", check=False)
    room.run("mv /opt/away /opt/nodemend")

    told, found = json.loads(done.stdout), audit(room)
    assert (1, found["forecast"]) == (done.returncode, told["forecast"])
    assert found["checks"] == [check for check in told["checks"] if check in found["checks"]]
    assert {"rival", "journal_kept"} < {check["check"] for check in told["checks"]}
