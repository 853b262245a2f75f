"""What systemd-networkd takes from the CNI: told where it is so, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.audit.audit import examine
from agent.audit.checks import examined
from agent.audit.program import Unanswered
from tests.unit.doctor.node import BOOT_TIMESTAMP_SECONDS, Node, sound_node

GUARD = "[Match]\nName=lxc*\n\n[Link]\nUnmanaged=yes\nMACAddressPolicy=none\n"
KEPT = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"
DROP_IN = "etc/systemd/networkd.conf.d/90-cni-guard.conf"
UPLINK_DROP_IN = "etc/systemd/network/10-netplan-enx.network.d/90-cni-guard.conf"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """networkd configures the uplink of a node with a CNI."""
    node = sound_node(tmp_path)
    node.networkd()
    return node


def read_at_start(node: Node) -> None:
    """networkd started after the file was written."""
    written = (node.root / DROP_IN).stat().st_mtime
    node.process(400, "systemd-network", int(written) - BOOT_TIMESTAMP_SECONDS + 5)


def test_rules_and_routes_are_exposed_by_default(node: Node) -> None:
    answer = node.answer("cni_rules")

    assert "no" == answer.outcome
    assert "deletes ip rules of others, but for those of protocol kernel" in answer.words
    assert "nodemend cni apply" in answer.to_do
    assert "carrier" not in answer.words
    assert "deletes routes of others" in node.answer("cni_routes").words


def test_systemd_249_does_it_at_every_carrier_loss_too(node: Node) -> None:
    libraries = node.root / "usr/lib/x86_64-linux-gnu/systemd"
    (libraries / "libsystemd-shared-252.so").rename(libraries / "libsystemd-shared-249.so")

    assert "(systemd 249) at every carrier loss" in node.answer("cni_rules").words


def test_unmanaged_cni_links_protect_neither_rules_nor_routes(node: Node) -> None:
    node.write("etc/systemd/network/15-cni-lxc.network", GUARD)
    node.write(
        "etc/systemd/network/10-cni-veth.network",
        "[Match]\nDriver=veth\n[Link]\nUnmanaged=yes\n",
    )

    answer = node.answer("cni_rules")

    assert "no" == answer.outcome
    files = "/etc/systemd/network/10-cni-veth.network, /etc/systemd/network/15-cni-lxc.network"
    assert f"{files} do not change that" in answer.words
    (ignored,) = node.answer("misplaced_keys").words.splitlines()
    assert "15-cni-lxc.network, line 6: MACAddressPolicy= below [Link] is for .link" in ignored


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("etc/systemd/network/20-lan.network", "[Match]\nName=br0\n[Link]\nUnmanaged=yes\n"),
        ("etc/systemd/network/15-cni.network", "[Match]\nName=lxc*\n[Link]\nMTUBytes=1400\n"),
        ("etc/systemd/network/15-cni.network", ""),
    ],
)
def test_other_network_files_are_not_spoken_of(node: Node, name: str, text: str) -> None:
    node.write("usr/lib/systemd/network/15-cni.network", "" if "cni" not in name else GUARD)
    node.write(name, text)

    assert "not change that" not in node.answer("cni_rules").words


def test_both_settings_protect_them(node: Node) -> None:
    node.write(DROP_IN, KEPT)
    read_at_start(node)

    answer = node.answer("cni_rules")

    assert ("yes", True) == (answer.outcome, f"/{DROP_IN}" in answer.words)


def test_one_setting_is_half_of_it(node: Node) -> None:
    node.write(DROP_IN, "[Network]\nManageForeignRoutes=no\n")

    answer = node.answer("cni_rules")

    assert "deletes ip rules of others" in answer.words
    assert "was written after networkd started" in node.answer("cni_routes").words


def test_settings_that_networkd_has_not_read_yet_are_unknown(node: Node) -> None:
    node.write(DROP_IN, KEPT)

    answer = node.answer("cni_rules")

    assert ("unknown", True) == (answer.outcome, "written after networkd started" in answer.words)


def test_a_later_drop_in_takes_them_back(node: Node) -> None:
    node.write(DROP_IN, KEPT)
    node.write("run/systemd/networkd.conf.d/99-cloud.conf", KEPT.replace("=no", "=yes"))

    assert "no" == node.answer("cni_rules").outcome


def test_without_networkd_nothing_is_exposed(node: Node) -> None:
    node.process(400, "NetworkManager")

    assert ("yes", "yes") == (node.answer("cni_rules").outcome, node.answer("uplink_kept").outcome)
    assert "NetworkManager runs here" == node.note("network_configured_by")


def test_without_a_cni_nothing_is_exposed(node: Node) -> None:
    node.remove("etc/cni/net.d/05-cilium.conflist")

    assert ("yes", "yes") == (node.answer("cni_rules").outcome, node.answer("uplink_kept").outcome)

    for of_others in ("veth1a2b3c4", "lxcbr0"):
        (node.root / "sys/class/net" / of_others).mkdir()
    assert "yes" == node.answer("cni_rules").outcome

    (node.root / "sys/class/net/cilium_host").mkdir()

    assert ("no", "no") == (node.answer("cni_rules").outcome, node.answer("uplink_kept").outcome)


def test_processes_that_are_hidden_are_not_taken_for_absent(node: Node) -> None:
    node.remove("proc/1/comm")
    node.remove("proc/1/stat")
    node.remove("proc/1/ns/net")
    (node.root / "proc/1/ns").rmdir()
    (node.root / "proc/1").rmdir()

    assert "unknown" == node.answer("cni_rules").outcome
    assert "unknown" in (node.note("network_configured_by") or "")


def test_networkd_that_manages_no_link_harms_nobody(node: Node) -> None:
    node.write("run/systemd/netif/links/3", "ADMIN_STATE=unmanaged\n")

    assert "systemd-networkd manages no link" == node.answer("cni_rules").words


def test_an_uplink_that_networkd_does_not_manage_loses_nothing(node: Node) -> None:
    state = node.root / "run/systemd/netif/links/3"
    node.write("run/systemd/netif/links/7", state.read_text())
    node.write("run/systemd/netif/links/3", state.read_text().replace("configured", "unmanaged"))

    assert ("no", "yes") == (node.answer("cni_rules").outcome, node.answer("uplink_kept").outcome)


def test_the_uplink_loses_addresses_and_routes(node: Node) -> None:
    answer = node.answer("uplink_kept")

    assert "no" == answer.outcome
    assert "enx6c1ff71be8c8 (/run/systemd/network/10-netplan-enx.network without" in answer.words
    assert "drop-in for 10-netplan-enx.network" in answer.to_do


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("KeepConfiguration=yes\nIgnoreCarrierLoss=15s\n", ""),
        ("KeepConfiguration=static\nIgnoreCarrierLoss=yes\n", ""),
        ("KeepConfiguration=yes\n", "IgnoreCarrierLoss="),
        ("KeepConfiguration=no\nIgnoreCarrierLoss=15s\n", "KeepConfiguration="),
        ("KeepConfiguration=no\nKeepConfiguration=static\nIgnoreCarrierLoss=15s\n", ""),
    ],
)
def test_a_drop_in_keeps_the_uplink(node: Node, text: str, missing: str) -> None:
    node.write(UPLINK_DROP_IN, f"[Network]\n{text}")

    answer = node.answer("uplink_kept")

    assert ("no" if missing else "yes") == answer.outcome
    assert not missing or f"without {missing})" in answer.words


@pytest.mark.parametrize(
    ("version", "upgrades", "outcome"),
    [
        (257, {"systemd": ("257.8", "257.9")}, "no"),
        (257, {"libc6": ("2.41-1", "2.41-2")}, "no"),
        (255, {"libc6": ("2.39-1", "2.39-2")}, "yes"),
        (252, {"systemd": ("252.39", "252.40")}, "yes"),
        (257, {"bash": ("5.2-1", "5.2-2")}, "yes"),
        (257, {}, "yes"),
        (257, None, "unknown"),
    ],
)
def test_upgrades_that_start_networkd_anew(
    node: Node, version: int, upgrades: dict[str, tuple[str, str]] | None, outcome: str
) -> None:
    audit = replace(examine(node.machine(), silent, silent), version=version, upgrades=upgrades)
    answer = dict(examined(audit, is_root=True).answers)["pending_upgrades"]

    assert outcome == answer.outcome
    for old, new in (upgrades or {}).values():
        assert outcome == "yes" or f"{old} -> {new}" in answer.words


def silent(*_arguments: object) -> str:
    raise Unanswered("the bus is away")
