"""The audit beside the daemon: at the start, when files change, and only what is news."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import audit_monitor
from agent.audit.program import Unanswered
from agent.audit_monitor import AuditMonitor
from agent.model.facts import Fact
from agent.model.facts_of_cni import CniAudited
from tests.unit.doctor.node import Node, sound_node

SECONDS_MAX = 10.0
UNASKED = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"


def silent(*_arguments: object) -> str:
    raise Unanswered("the bus is away")


@pytest.fixture
def facts() -> queue.Queue[Fact]:
    return queue.Queue()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(audit_monitor, "LOOK_SECONDS", 0.02)
    node = sound_node(tmp_path)
    node.networkd()
    return node


@pytest.fixture
def monitor(node: Node, facts: queue.Queue[Fact]) -> Iterator[AuditMonitor]:
    monitor = AuditMonitor(facts.put, node.root, silent, silent)
    yield monitor
    monitor.close(SECONDS_MAX)


def until(condition: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + SECONDS_MAX, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)


def next_of(facts: queue.Queue[Fact]) -> CniAudited:
    fact = facts.get(timeout=SECONDS_MAX)
    assert isinstance(fact, CniAudited)
    return fact


def test_what_is_wrong_is_told_and_again_when_a_file_changes_it(
    node: Node, monitor: AuditMonitor, facts: queue.Queue[Fact]
) -> None:
    monitor.start()
    first = next_of(facts)
    assert ("cni_rules", "cni_routes", "uplink_kept") == first.wrong
    assert "needrestart" in first.fine
    assert (None, None, {"cilium": 0}) == (
        first.exposed_rules,
        first.exposed_routes,
        first.managed,
    )

    node.write("usr/lib/sysctl.d/50-default.conf", "# nothing of importance\n")
    node.write("etc/systemd/networkd.conf.d/90-x.conf", UNASKED)
    assert ("uplink_kept",) == next_of(facts).wrong
    assert facts.empty()


def test_without_a_cni_nobody_is_asked(
    node: Node, monitor: AuditMonitor, facts: queue.Queue[Fact]
) -> None:
    node.remove("etc/cni/net.d/05-cilium.conflist")
    monitor.start()
    node.write("etc/cni/net.d/05-cilium.conflist", "{}")

    assert next_of(facts).wrong, "once there is one"
    node.remove("etc/cni/net.d/05-cilium.conflist")
    assert ((), ()) == ((gone := next_of(facts)).wrong, gone.fine)


def test_what_cannot_be_read_is_a_failure_until_it_can(
    node: Node, monitor: AuditMonitor, facts: queue.Queue[Fact]
) -> None:
    (node.root / "proc/1/comm").rename(node.root / "comm")
    (node.root / "proc/1").rename(node.root / "away")
    assert "no CNI is set up here" == monitor.missing
    monitor.start()
    until(lambda: monitor.failure is not None)
    assert "the processes of others are hidden" in (monitor.failure or "")
    assert ("", True) == (monitor.missing, facts.empty())

    (node.root / "away").rename(node.root / "proc/1")
    node.write("etc/systemd/network/50-x.network", "")
    next_of(facts)
    assert monitor.failure is None
