"""The control socket: a daemon's end and a client's end, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.report.control import ControlServer, NoDaemon, ask
from tests.unit.report.snapshots import a_busy_snapshot


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "control.sock"
    server = ControlServer(path, a_busy_snapshot)
    yield path
    server.close()


def test_status(path: Path) -> None:
    assert "1.2.3" == ask(path, "status")["status"]["version"]


def test_only_its_owner_may_ask(path: Path) -> None:
    assert 0o600 == path.stat().st_mode & 0o777


def test_an_unknown_verb_is_refused(path: Path) -> None:
    with pytest.raises(NoDaemon, match="unknown verb 'explode'"):
        ask(path, "explode")


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b"{}\n", b"[" * 4000 + b"\n", b"x" * 5000, b"\xff\n"]
)
def test_nonsense_is_answered_and_the_next_one_served(path: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(line)

        assert b"expected one line" in client.recv(1000)
    assert "status" in ask(path, "status")


def test_a_client_that_says_nothing_is_given_up(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))

        assert "status" in ask(path, "status")


def test_the_socket_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NoDaemon, match="Is it running"):
        ask(path, "status")
    server = ControlServer(path, a_busy_snapshot)

    assert "status" in ask(path, "status")
    server.close()
    assert not path.exists()


def test_no_daemon_at_all(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match=r"no daemon answers at .*make run"):
        ask(tmp_path / "control.sock", "status")
