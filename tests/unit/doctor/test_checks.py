"""Each check on a node on which one thing is wrong: it says so, what to do, and no other does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest

from agent.audit.answer import Outcome
from agent.report.catalog import EVENTS, catalog_text
from tests.builders import LINK
from tests.unit.doctor.node import USB, Node, sound_node, unplugged

CONFIG = "etc/nodemend/config.yaml"
MATCH = "usb_nic: {match: [{driver: r8152, name: uplink}]}\n"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    for name in ("systemd", "systemd.journal"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    return sound_node(tmp_path)


@dataclass(frozen=True)
class Case:
    """How to break a node, and what the check then says and advises."""

    check: str
    break_it: Callable[[Node], object]
    says: str
    advises: str = ""
    outcome: Outcome = "no"
    also: str = ""  # another check that then cannot know


def _asleep(node: Node) -> None:
    node.write(f"{USB}/power/control", "auto\n")
    node.write(CONFIG, MATCH)


def _catalog_without(node: Node, events: int) -> None:
    ids = [bytes.fromhex(event.message_id) for event in EVENTS.values()]
    node.write("var/lib/systemd/catalog/database", b"".join(ids[events:]))


def _generic(node: Node) -> None:
    node.driver("cdc_ncm")


def _masked(node: Node) -> None:
    node.remove("etc/systemd/system/nodemend.service")
    node.link("etc/systemd/system/nodemend.service", "/dev/null")


def _rival(node: Node) -> None:
    node.write("etc/systemd/system/usb-nic-monitor.service", "[Service]\n")
    wants = "etc/systemd/system/multi-user.target.wants/usb-nic-monitor.service"
    node.link(wants, "/etc/systemd/system/usb-nic-monitor.service")


def _rival_left_over(node: Node) -> None:
    node.write("usr/lib/systemd/system/usb-nic-monitor.timer", "[Timer]\n")


def _journal_in_memory(node: Node) -> None:
    (node.root / "var/log/journal").rmdir()


def _journal_setting(value: str) -> Callable[[Node], object]:
    return lambda node: node.write(
        "etc/systemd/journald.conf.d/10-small.conf", f"[Journal]\nStorage={value}\n"
    )


def _not_root(node: Node) -> None:
    node.is_root = False
    node.write("proc/self/status", "CapEff:\t0000000000000000\n")


def _two_missing(node: Node) -> None:
    _catalog_without(node, 2)


CASES = [
    Case("watched", unplugged, "no NIC would be watched", "lsusb"),
    Case(
        "matched",
        lambda node: node.write(CONFIG, MATCH.replace("r8152", "r8125")),
        f"fits a NIC that is here: {LINK.device}",
        "compare",
    ),
    Case("own_driver", _generic, f"{LINK.device} (cdc_ncm)", "bConfigurationValue"),
    Case("autosuspend", _asleep, "autosuspend is on for enx", "devices/2-1/power/control"),
    Case(
        "rival",
        _rival,
        "usb-nic-monitor.service is installed and enabled",
        "systemctl disable --now usb-nic-monitor.service; "
        "rm /etc/systemd/system/usb-nic-monitor.service;",
    ),
    Case("rival", _rival_left_over, "usb-nic-monitor.timer is installed and not enabled", "rm /u"),
    Case(
        "configuration",
        lambda node: node.write(CONFIG, "mode: observe\nmodus: x\n"),
        f"{CONFIG}:2: modus: unknown key",
        "check-config",
        also="web_config",
    ),
    Case(
        "service",
        lambda node: node.remove("etc/systemd/system/nodemend.service"),
        "is not installed",
        "README.md",
    ),
    Case("service", _masked, "is masked", "systemctl unmask"),
    Case(
        "service",
        lambda node: node.remove("etc/systemd/system/multi-user.target.wants/nodemend.service"),
        "is not enabled",
        "systemctl enable",
    ),
    Case(
        "service",
        lambda node: node.remove("opt/nodemend/current/bin/nodemend"),
        "starts /opt/nodemend/current/bin/nodemend, which is not there",
        "install nodemend there",
    ),
    Case(
        "may_start",
        lambda node: node.write("proc/cmdline", "ro nodemend.off quiet\n"),
        "nodemend.off is on the kernel's command line",
        "boot loader",
    ),
    Case(
        "systemd",
        lambda node: (
            node.root / "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so"
        ).rename(node.root / "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-247.so"),
        "systemd 247 is older than 249",
        "upgrade",
    ),
    Case(
        "systemd",
        lambda node: node.remove("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so"),
        "cannot be told",
        outcome="unknown",
    ),
    Case("permissions", _not_root, "CAP_NET_RAW", "sudo", outcome="unknown"),
    Case(
        "permissions",
        lambda node: node.write("proc/self/status", "CapEff:\t0000000000001000\n"),
        "CAP_NET_RAW",
        "CapabilityBoundingSet=",
    ),
    Case("kernel_log", lambda node: node.remove("dev/kmsg"), "cannot be read", "CAP_SYSLOG"),
    Case("journal_kept", _journal_in_memory, "only in memory", "mkdir -p /var/log/journal"),
    Case("journal_kept", _journal_setting("volatile"), "/etc/systemd/journald.conf.d", "Storage="),
    Case("journal_kept", _journal_setting("none"), "Storage=none", "Storage=persistent"),
    Case(
        "catalog",
        lambda node: node.remove("usr/lib/systemd/catalog/nodemend.catalog"),
        "is not installed",
        "journalctl --update-catalog",
    ),
    Case(
        "catalog",
        lambda node: node.write(
            "usr/lib/systemd/catalog/nodemend.catalog", catalog_text().replace("NIC", "Nic")
        ),
        "is that of another version",
        "journalctl --update-catalog",
    ),
    Case("catalog", _two_missing, "2 of ", "journalctl --update-catalog"),
]


def test_nothing_is_wrong_on_a_sound_node(node: Node) -> None:
    report = node.examine()

    wrong = {name: a for name, a in report.answers if a.outcome != "yes"}
    assert {"daemon"} == wrong.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.says[:20]}")
def test_what_is_wrong_is_told_with_what_to_do(node: Node, case: Case) -> None:
    case.break_it(node)

    report = node.examine()

    answer = dict(report.answers)[case.check]
    assert (case.outcome, True, True) == (
        answer.outcome,
        case.says in answer.words,
        case.advises in answer.to_do,
    ), answer
    others = {n: a.outcome for n, a in report.answers if a.outcome != "yes" and n != case.check}
    assert {"daemon": "no"} | ({case.also: "unknown"} if case.also else {}) == others


def test_without_python3_systemd_events_have_no_fields(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "systemd.journal", None)

    answer = node.answer("journal_fields")

    assert ("no", True) == (answer.outcome, "apt-get install python3-systemd" in answer.to_do)


def test_a_rival_on_a_merged_system_is_told_once(node: Node) -> None:
    node.link("lib", "usr/lib")
    _rival_left_over(node)

    words = node.answer("rival").words

    assert "(/usr/lib/systemd/system/usb-nic-monitor.timer)" in words


def test_only_what_a_target_wants_is_enabled(node: Node) -> None:
    directory = node.root / "etc/systemd/system"
    (directory / "multi-user.target.wants").rename(directory / "multi-user.target.old")

    assert "is not enabled" in node.answer("service").words


def test_the_nic_is_named_with_its_hardware_and_whether_it_is_judged(node: Node) -> None:
    node.write(CONFIG, MATCH)

    words = node.answer("watched").words

    assert "uplink on enx6c1ff71be8c8 (r8152, USB 0bda:8156; judged)" == words


def test_a_usb_nic_without_a_route_that_nothing_matches_is_not_judged(node: Node) -> None:
    node.write("proc/net/route", "Iface\n")

    assert "enx6c1ff71be8c8 (r8152, USB 0bda:8156; not judged)" == node.answer("watched").words


def test_a_nic_that_is_not_matched_may_be_suspended(node: Node) -> None:
    node.write(f"{USB}/power/control", "auto\n")

    assert "yes" == node.answer("autosuspend").outcome


def test_what_nodemend_will_do_itself_is_not_asked_of_the_reader(node: Node) -> None:
    _asleep(node)
    node.write(CONFIG, f"mode: remediate\n{MATCH}")

    answer = node.answer("autosuspend")

    assert ("yes", True) == (answer.outcome, "nodemend switches that off" in answer.words)
    assert "auto\n" == (node.root / USB / "power/control").read_text()


def test_a_config_for_usb_nics_is_no_problem_of_a_node_without_any(node: Node) -> None:
    node.write(CONFIG, MATCH)
    unplugged(node)

    assert "yes" == node.answer("matched").outcome


def test_a_single_uplink_on_usb_is_worth_knowing(node: Node) -> None:
    assert "only way out" in (node.note("only_uplink") or "")

    second = replace(LINK, ifindex=4, device="eno1")
    node.links = (LINK, second)
    node.write("sys/class/net/eno1/ifindex", "4\n")
    (node.root / "sys/class/net/eno1/device").mkdir()
    routes = (node.root / "proc/net/route").read_text()
    node.write("proc/net/route", routes + routes.splitlines()[1].replace(LINK.device, "eno1"))

    assert node.note("only_uplink") is None


def test_kernel_parameters_that_matter_are_told(node: Node) -> None:
    node.write("proc/cmdline", "ro usbcore.autosuspend=-1 quiet log_buf_len=4M\n")

    assert "the kernel was started with usbcore.autosuspend=-1 log_buf_len=4M" == node.note(
        "kernel_parameters"
    )
