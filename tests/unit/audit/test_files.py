"""Files that are broken, hidden, huge or strange: findings, and never a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.audit.audit import Audit, examine
from agent.audit.checks import AUDIT_CHECKS, examined
from agent.audit.cni_here import LINKS
from agent.audit.files import choose
from agent.audit.host import TEXT_BYTES_MAX, Host
from agent.audit.match import Candidate
from agent.audit.program import Unanswered
from tests.unit.doctor.node import Node, sound_node

LXC = next(link for link in LINKS if link.glob == "lxc*").candidate
UNMANAGED = "[Match]\nName=lxc*\n[Link]\nUnmanaged=yes\n"
BROAD = "[Match]\nType=ether\n[Network]\nDHCP=yes\n"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = sound_node(tmp_path)
    node.networkd()
    return node


def silent(*_arguments: object) -> str:
    raise Unanswered("the bus is away")


def audit(node: Node) -> Audit:
    return examine(Host(node.root), silent, silent)


def chosen(node: Node, link: Candidate = LXC) -> str | None:
    """The name of the file for the link; None: none. "?": not known."""
    choice = choose(audit(node).networks, link)
    if not choice.is_known:
        return "?"
    return choice.file.path.name if choice.file else None


def outcomes(node: Node) -> dict[str, str]:
    report = examined(audit(node), is_root=True)
    return {name: answer.outcome for name, answer in report.answers}


def test_the_first_that_fits_is_the_one(node: Node) -> None:
    node.write("run/systemd/network/10-netplan-all.network", BROAD)
    node.write("etc/systemd/network/15-lxc.network", UNMANAGED)
    assert "10-netplan-all.network" == chosen(node)

    node.write("usr/lib/systemd/network/05-lxc.network", UNMANAGED)
    assert "05-lxc.network" == chosen(node)


def test_a_masked_file_is_none_and_hides_the_weaker(node: Node) -> None:
    node.write("usr/lib/systemd/network/05-all.network", BROAD)
    assert "05-all.network" == chosen(node)

    node.write("etc/systemd/network/05-all.network", "")
    node.write("etc/systemd/network/05-all.network.d/x.conf", "[Match]\nName=*\n")
    assert chosen(node) is None

    node.remove("etc/systemd/network/05-all.network")
    node.link("etc/systemd/network/05-all.network", "/dev/null")
    assert chosen(node) is None


def test_a_file_without_a_match_is_for_nobody(node: Node) -> None:
    node.write("etc/systemd/network/05-all.network", "[Network]\nDHCP=yes\n")
    node.write("etc/systemd/network/06-all.network", "[Match]\nName=\n[Network]\nDHCP=yes\n")

    assert chosen(node) is None


@pytest.mark.parametrize(
    "key",
    [
        "MACAddress=02:00:00:00:00:01",
        "PermanentMACAddress=02:00:00:00:00:01",
        "Path=pci-0000:00:14.0-*",
        "Driver=r8152",
        "Kind=!veth",
    ],
)
def test_what_is_for_hardware_is_not_for_a_link_of_a_cni(node: Node, key: str) -> None:
    """As netplan writes it for `match: macaddress`."""
    node.write("run/systemd/network/10-netplan-up.network", f"[Match]\n{key}\n[Network]\n")

    assert chosen(node) is None


@pytest.mark.parametrize("key", ["Virtualization=!container", "Property=A=b", "Host=k3s1", "X=y"])
def test_any_other_key_is_not_judged(node: Node, key: str) -> None:
    node.write("etc/systemd/network/05-x.network", f"[Match]\nName=lxc*\n{key}\n[Network]\n")
    assert "?" == chosen(node)
    assert "unknown" == outcomes(node)["cni_links"]

    node.write("etc/systemd/network/05-x.network", f"[Match]\nName=eth*\n{key}\n[Network]\n")
    assert chosen(node) is None, "one key that does not fit is enough"


def test_a_doubt_that_makes_no_difference_is_none(node: Node) -> None:
    doubtful = "[Match]\nHost=k3s1\n[Link]\nUnmanaged=yes\n"
    node.write("etc/systemd/network/05-x.network", doubtful)
    assert "yes" == outcomes(node)["cni_links"]

    node.write("etc/systemd/network/06-x.network", BROAD)
    assert "unknown" == outcomes(node)["cni_links"]


@pytest.mark.parametrize("pattern", ["lxc[^0]*", "lxc\\*"])
def test_patterns_that_mean_something_else_to_networkd_are_not_judged(
    node: Node, pattern: str
) -> None:
    node.write("etc/systemd/network/05-x.network", f"[Match]\nName={pattern}\n")

    assert "?" == chosen(node)


def test_a_key_that_this_systemd_does_not_know(node: Node) -> None:
    node.write("etc/systemd/network/05-x.network", "[Match]\nKind=veth\n[Link]\nUnmanaged=yes\n")
    assert "05-x.network" == chosen(node)

    libraries = node.root / "usr/lib/x86_64-linux-gnu/systemd"
    (libraries / "libsystemd-shared-252.so").rename(libraries / "libsystemd-shared-249.so")
    assert chosen(node) is None
    assert "no" == outcomes(node)["misplaced_keys"]


def test_files_that_cannot_be_read_are_told_and_nothing_is_claimed(node: Node) -> None:
    huge = BROAD + "#" * TEXT_BYTES_MAX
    node.write("etc/systemd/network/01-huge.network", huge)
    node.link("etc/systemd/network/02-cyclic.network", "02-cyclic.network")
    (node.root / "etc/systemd/network/03-directory.network").mkdir()
    node.write("etc/systemd/network/04-binary.network", os.urandom(4096).replace(b"[", b"x"))
    node.link("etc/systemd/network/05-nowhere.network", "/no/such/file")

    assert "?" == chosen(node)
    answer = next(
        a for n, a in examined(audit(node), is_root=True).answers if n == "unreadable_files"
    )
    assert "unknown" == answer.outcome
    for name in (
        "01-huge.network: larger",
        "02-cyclic.network: Too many",
        "03-directory.network: Is",
    ):
        assert f"/etc/systemd/network/{name}" in answer.words
    assert set(outcomes(node)) == {check.name for check in AUDIT_CHECKS}


def test_a_networkd_conf_that_cannot_be_read(node: Node) -> None:
    (node.root / "etc/systemd/networkd.conf.d").mkdir(parents=True)
    node.link("etc/systemd/networkd.conf.d/90-x.conf", "90-x.conf")

    found = audit(node)
    assert "90-x.conf cannot be read: Too many levels" in found.conf_problem
    assert ("unknown", "unknown") == (
        outcomes(node)["cni_rules"],
        outcomes(node)["unreadable_files"],
    )


def test_a_networkd_that_is_stopped_is_not_asked(node: Node) -> None:
    node.process(400, "something-else")

    def asked() -> str:
        raise AssertionError("over D-Bus it would be started")

    found = examine(Host(node.root), asked, silent)

    assert not found.is_running
    assert found.forecast is None


def test_a_networkd_that_answers_nonsense(node: Node) -> None:
    found = examine(Host(node.root), lambda: "nonsense", silent)

    assert found.forecast is None
    assert "does not say what is its: its answer cannot be understood" in found.unforetold
    assert "no" == outcomes(node)["cni_rules"], "its files say enough"
