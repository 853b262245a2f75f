"""Word to systemd, over a socket like its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.report import notify
from agent.report.notify import Systemd


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield listener


def test_ready(systemd: socket.socket) -> None:
    Systemd().say("READY=1")

    assert b"READY=1" == systemd.recv(100)


def test_progress_is_told_when_it_changes_and_else_once_a_second(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Systemd()
    for _ in range(1000):
        ours.progress("observe: all well")
    ours.progress("observe: uplink GONE")

    assert b"WATCHDOG=1\nSTATUS=observe: all well" == systemd.recv(100)
    assert b"WATCHDOG=1\nSTATUS=observe: uplink GONE" == systemd.recv(100)

    monkeypatch.setattr(notify, "PROGRESS_SECONDS", 0.0)
    ours.progress("observe: uplink GONE")
    assert b"WATCHDOG=1\nSTATUS=observe: uplink GONE" == systemd.recv(100)


def test_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    ours = Systemd()
    ours.say("READY=1")
    ours.progress("observe")


def test_an_abstract_socket_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0nodemend-test-notify")
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", "@nodemend-test-notify")
        Systemd().say("READY=1")

        assert b"READY=1" == listener.recv(100)


@pytest.mark.usefixtures("systemd")
def test_a_systemd_that_does_not_read_holds_nobody_up() -> None:
    ours = Systemd()
    for number in range(10_000):
        ours.say(f"STATUS={number}")
