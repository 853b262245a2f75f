"""The control socket: a daemon's end and a client's end, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.model.identity import Stamp
from agent.model.snapshot import Snapshot
from agent.model.state import Pause
from agent.report.control import ControlServer, NoDaemon, Refused, ask
from tests.unit.report.snapshots import a_busy_snapshot


class Obedient:
    """In place of the loop: does at once what it is told to."""

    def __init__(self, snapshots: list[Snapshot]) -> None:
        self._snapshots = snapshots

    def _become(self, **changes: Any) -> None:
        latest = self._snapshots[-1]
        self._snapshots.append(replace(latest, state=replace(latest.state, **changes)))

    def forget(self, nic: str) -> None:
        known = self._snapshots[-1].state.nics
        self._become(nics={key: found for key, found in known.items() if found.nic != nic})

    def pause(self, seconds: int, reason: str) -> None:
        self._become(pause=Pause(Stamp(seconds, seconds), reason))

    def resume(self) -> None:
        self._become(pause=None)

    def release_gpu(self, seconds: int) -> None:
        """See test_gpu.py."""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "control.sock"
    server = ControlServer(path, a_busy_snapshot, Obedient([]))
    yield path
    server.close()


def test_status(path: Path) -> None:
    assert "1.2.3" == ask(path, "status")["status"]["version"]


def test_a_report(path: Path) -> None:
    report = ask(path, "report", since_seconds=3600)["report"]

    assert ("observe", 3) == (report["mode"], len(report["nics"]))
    with pytest.raises(Refused, match="expected since_seconds, found -1"):
        ask(path, "report", since_seconds=-1)


def test_only_its_owner_may_ask(path: Path) -> None:
    assert 0o600 == path.stat().st_mode & 0o777


def test_an_unknown_verb_is_refused(path: Path) -> None:
    with pytest.raises(Refused, match="unknown verb 'explode'"):
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
    server = ControlServer(path, a_busy_snapshot, Obedient([]))

    assert "status" in ask(path, "status")
    server.close()
    assert not path.exists()


def test_no_daemon_at_all(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match=r"no daemon answers at .*make run"):
        ask(tmp_path / "control.sock", "status")


GONE = "pci-0000:00:14.0-usb-0:2"  # in the busy snapshot; `uplink` is present


@pytest.mark.parametrize(
    ("nic", "words"),
    [
        ("uplink", "uplink is present as enx6c1ff71be8c8: only a NIC that is gone is forgotten"),
        ("downlink", f"no NIC is called 'downlink'; known: uplink, {GONE}, pci-0000:03:00.0"),
    ],
)
def test_what_cannot_be_forgotten(path: Path, nic: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        ask(path, "forget", nic=nic)

    assert words == str(refused.value)


def test_forgotten_is_said_once_it_is_so(tmp_path: Path) -> None:
    snapshots = [a_busy_snapshot()]
    path = tmp_path / "control.sock"
    server = ControlServer(path, lambda: snapshots[-1], Obedient(snapshots))

    assert {"forgotten": GONE} == ask(path, "forget", nic=GONE)
    server.close()


def test_paused_and_resumed_are_said_once_it_is_so(tmp_path: Path) -> None:
    snapshots = [a_busy_snapshot()]
    path = tmp_path / "control.sock"
    server = ControlServer(path, lambda: snapshots[-1], Obedient(snapshots))

    assert {"paused": 60} == ask(path, "pause", seconds=60, reason="new cable")
    assert {"resumed": True} == ask(path, "resume")
    server.close()


@pytest.mark.parametrize("seconds", [0, -1, 8 * 24 * 3600, "2h"])
def test_no_pause_without_an_end(path: Path, seconds: int | str) -> None:
    with pytest.raises(Refused, match="expected 1 to 604800 seconds"):
        ask(path, "pause", seconds=seconds)
