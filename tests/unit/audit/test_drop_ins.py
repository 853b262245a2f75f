"""Which files a host needs: for its systemd, its CNI, its uplinks and what else runs there."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.audit import drop_ins
from agent.audit.audit import examine
from agent.audit.drop_ins import is_ours, was_ours
from agent.audit.host import Host
from agent.audit.program import Unanswered
from tests.unit.doctor.node import Node, sound_node

UPLINKS = f"{drop_ins.NETWORK_DIRECTORY}/10-netplan-enx.network.d/{drop_ins.UPLINK_NAME}"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = sound_node(tmp_path)
    node.networkd()
    return node


def silent(*_arguments: object) -> str:
    raise Unanswered("the bus is away")


def texts(node: Node) -> dict[str, str]:
    audit = examine(Host(node.root), silent, silent)
    return {drop_in.name: drop_in.body for drop_in in drop_ins.drop_ins(audit)}


def of_version(node: Node, version: int) -> None:
    libraries = node.root / "usr/lib/x86_64-linux-gnu/systemd"
    (libraries / "libsystemd-shared-252.so").rename(libraries / f"libsystemd-shared-{version}.so")


def test_networkd_with_cilium(node: Node) -> None:
    assert {
        drop_ins.CONF,
        drop_ins.NETWORK,
        drop_ins.LINK,
        drop_ins.SYSCTL,
        UPLINKS,
    } == texts(node).keys()
    assert "[Network]\nKeepConfiguration=yes\nIgnoreCarrierLoss=15s\n" == texts(node)[UPLINKS]
    assert "NextHops" not in texts(node)[drop_ins.CONF]


def test_only_links_of_the_cni_at_hand(node: Node) -> None:
    assert "\nName=cilium_* lxc* tmp* kube-ipvs0" in texts(node)[drop_ins.NETWORK]
    node.remove("etc/cni/net.d/05-cilium.conflist")
    node.write("etc/cni/net.d/10-flannel.conflist", "{}")
    assert "\nName=flannel.* flannel-v6.* cni0 veth* kube-ipvs0" in texts(node)[drop_ins.NETWORK]
    node.remove("etc/cni/net.d/10-flannel.conflist")
    for globs in drop_ins.GLOBS.values():
        assert all(glob in texts(node)[drop_ins.LINK] for glob in globs), "for any that comes"


def test_249_knows_no_time_for_a_carrier_that_is_lost(node: Node) -> None:
    of_version(node, 249)

    assert "IgnoreCarrierLoss=yes\n" in texts(node)[UPLINKS]


def test_257_has_next_hops_of_others_too(node: Node) -> None:
    of_version(node, 257)

    assert "ManageForeignNextHops=no\n" in texts(node)[drop_ins.CONF]


def test_rp_filter_is_left_alone_where_cilium_is_not(node: Node) -> None:
    node.remove("etc/cni/net.d/05-cilium.conflist")
    node.write("etc/cni/net.d/10-calico.conflist", "{}")

    assert drop_ins.SYSCTL not in texts(node)


def test_who_else_is_there(node: Node) -> None:
    node.process(400, "NetworkManager")
    node.write("usr/sbin/needrestart")

    found = texts(node)
    assert {
        drop_ins.LINK,
        drop_ins.SYSCTL,
        drop_ins.NETWORK_MANAGER,
        drop_ins.NEEDRESTART_FILE,
    } == found.keys()
    assert "unmanaged-devices+=interface-name:cilium_*;" in found[drop_ins.NETWORK_MANAGER]


def test_each_says_whose_it_is(node: Node) -> None:
    audit = examine(Host(node.root), silent, silent)
    for drop_in in drop_ins.drop_ins(audit):
        assert is_ours(drop_in.text)
        assert (False, True) == (is_ours(drop_in.text + "x"), was_ours(drop_in.text + "x"))
        assert all(line.startswith("#") for line in drop_in.text.splitlines()[:2])
    assert not was_ours("[Network]\n")
