"""The daemon that runs beside, the room that it has, and the file for TLS and users."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.model.snapshot import Snapshot, Source
from agent.orders import Orders
from agent.report import control
from agent.report.control import ControlServer
from agent.yaml_reader import ConfigError
from tests.unit.doctor.node import Node, sound_node
from tests.unit.report.snapshots import a_busy_snapshot

STATE, RUNTIME = "state_directory", "runtime_directory"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return sound_node(tmp_path)


def with_sources(condition: str) -> Callable[[], Snapshot]:
    source = Source("failed" if condition == "failed" else "ok", "no progress for 11 s: it hangs")
    return lambda: replace(a_busy_snapshot(), sources={"readings": source})


@pytest.mark.parametrize(
    ("condition", "outcome", "says"),
    [
        ("ok", "yes", "nodemend 1.2.3 runs, mode observe"),
        ("failed", "no", "failed sources: readings: no progress for 11 s: it hangs"),
    ],
)
def test_a_daemon_that_answers(node: Node, condition: str, outcome: str, says: str) -> None:
    socket = node.machine().places.control_socket
    server = ControlServer(
        socket,
        with_sources(condition),
        Orders(lambda _fact: None, lambda _seconds: None),
    )
    try:
        answer = node.answer("daemon")
    finally:
        server.close()

    assert (outcome, True) == (answer.outcome, says in answer.words), answer


def test_no_daemon_answers(node: Node) -> None:
    answer = node.answer("daemon")

    assert ("no", True) == (answer.outcome, "systemctl start nodemend.service" in answer.to_do)


def test_where_nothing_is_installed_nothing_can_be_started(node: Node) -> None:
    node.remove("etc/systemd/system/nodemend.service")

    assert "see service" == node.answer("daemon").to_do


def test_a_daemon_of_another_user_is_unknown(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise control.NoDaemon("may only be used by its owner") from PermissionError()

    monkeypatch.setattr(control, "ask", refuse)

    answer = node.answer("daemon")

    assert ("unknown", "sudo nodemend doctor") == (answer.outcome, answer.to_do)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"f_flag": os.ST_RDONLY}, "read-only"),
        ({"f_bavail": 1}, "MiB left, at least"),
        ({"f_favail": 3}, "3 inodes left"),
        ({"f_favail": 0, "f_files": 0}, ""),
    ],
)
def test_a_file_system_without_room(
    node: Node, monkeypatch: pytest.MonkeyPatch, changed: dict[str, int], says: str
) -> None:
    roomy = {"f_flag": 0, "f_bavail": 10**6, "f_frsize": 4096, "f_files": 1000, "f_favail": 900}
    filesystem = SimpleNamespace(**(roomy | changed))
    monkeypatch.setattr(os, "statvfs", lambda _path: filesystem)

    answers = dict(node.examine().answers)

    for name in (STATE, RUNTIME):
        assert ("no" if says else "yes", True) == (
            answers[name].outcome,
            says in answers[name].words,
        )


def test_a_state_directory_that_is_not_ones_own(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)

    assert "no" == node.answer(STATE).outcome
    node.is_root = False
    assert "unknown" == node.answer(STATE).outcome


def test_a_state_directory_that_the_service_has_not_made_yet(node: Node) -> None:
    node.remove("var/lib/nodemend/state.json")
    (node.root / "var/lib/nodemend").rmdir()

    assert "yes" == node.answer(STATE).outcome


def test_a_web_config_that_is_wrong(node: Node) -> None:
    web = node.write("etc/nodemend/web.yaml", "\ntls_server: {}\n")
    node.write("etc/nodemend/config.yaml", f"web_config_file: {web}\n")

    answer = node.answer("web_config")

    assert ("no", True) == (answer.outcome, f"{web}:2: tls_server: unknown key" in answer.words)
    web.write_text("")
    assert "yes" == node.answer("web_config").outcome


def test_a_configuration_that_may_not_be_read_is_unknown(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise ConfigError([f"{path}: Permission denied"]) from PermissionError()

    monkeypatch.setattr("agent.doctor.findings.load_default", refuse)
    node.is_root = False

    answer = node.answer("configuration")

    assert ("unknown", "sudo nodemend doctor") == (answer.outcome, answer.to_do)
