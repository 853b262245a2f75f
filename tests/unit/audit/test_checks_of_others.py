"""sysctl.d, NetworkManager and needrestart: who else changes links, or restarts networkd."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.doctor.node import Node, sound_node

SYSCTL = "usr/lib/sysctl.d/50-default.conf"
OVERRIDE = "$nrconf{override_rc}{qr(^systemd-networkd)} = 0;\n"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """With Cilium."""
    node = sound_node(tmp_path)
    node.networkd()
    return node


@pytest.mark.parametrize(
    ("files", "outcome"),
    [
        ({}, "yes"),
        ({SYSCTL: "net.ipv4.conf.*.rp_filter = 2\n"}, "no"),
        ({SYSCTL: "net/ipv4/conf/lxc*/rp_filter=1\n"}, "no"),
        ({SYSCTL: "net.ipv4.conf.all.rp_filter = 1\nnet.ipv4.ip_forward = 1\n"}, "yes"),
        (
            {
                SYSCTL: "net.ipv4.conf.*.rp_filter = 2\n",
                "etc/sysctl.d/99-zzz-override_cilium.conf": "-net.ipv4.conf.lxc*.rp_filter = 0\n"
                "-net.ipv4.conf.cilium_*.rp_filter = 0\n",
            },
            "yes",
        ),
        ({SYSCTL: "net.ipv4.conf.*.rp_filter = 2\n", f"etc/{SYSCTL[8:]}": "# nothing\n"}, "yes"),
    ],
)
def test_rp_filter(node: Node, files: dict[str, str], outcome: str) -> None:
    for name, text in files.items():
        node.write(name, text)

    answer = node.answer("cni_rp_filter")
    assert outcome == answer.outcome
    if outcome == "no":
        assert f"/{SYSCTL}, line 1" in answer.words


def test_rp_filter_is_cilium_s_alone(node: Node) -> None:
    node.remove("etc/cni/net.d/05-cilium.conflist")
    node.write("etc/cni/net.d/10-flannel.conflist", "{}")
    node.write(SYSCTL, "net.ipv4.conf.*.rp_filter = 2\n")

    assert "yes" == node.answer("cni_rp_filter").outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", "no"),
        ("[keyfile]\nunmanaged-devices=interface-name:lxc*\n", "no"),
        ("[keyfile]\nunmanaged-devices=interface-name:lxc*;interface-name:cilium_*\n", "yes"),
        ("[keyfile]\nunmanaged-devices+=interface-name:lxc*;interface-name:cilium_*\n", "yes"),
    ],
)
def test_network_manager(node: Node, text: str, outcome: str) -> None:
    assert "yes" == node.answer("network_manager").outcome, "it does not run"
    node.process(500, "NetworkManager")
    node.write("etc/NetworkManager/conf.d/90-cni.conf", text)

    assert outcome == node.answer("network_manager").outcome


def test_a_later_file_of_network_manager_s_replaces_what_was_said(node: Node) -> None:
    node.process(500, "NetworkManager")
    spared = "interface-name:lxc*;interface-name:cilium_*"
    node.write("etc/NetworkManager/conf.d/10-a.conf", f"[keyfile]\nunmanaged-devices={spared}\n")
    node.write("etc/NetworkManager/conf.d/20-b.conf", "[keyfile]\nunmanaged-devices=mac:1\n")

    assert "no" == node.answer("network_manager").outcome


def test_needrestart(node: Node) -> None:
    assert "yes" == node.answer("needrestart").outcome
    node.write("usr/sbin/needrestart")
    assert "no" == node.answer("needrestart").outcome
    node.write("etc/needrestart/conf.d/x.conf", f"# {OVERRIDE}")
    assert "no" == node.answer("needrestart").outcome
    node.write("etc/needrestart/conf.d/x.conf", OVERRIDE)
    assert "yes" == node.answer("needrestart").outcome
