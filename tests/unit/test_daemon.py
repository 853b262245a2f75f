"""The whole daemon as a process on this machine, which may have no USB NIC at all."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import store
from agent.model.state import Durable
from tests.unit.process import Process, command

pytestmark = [pytest.mark.allow_subprocess, pytest.mark.allow_network]


def test_it_says_what_it_found_and_serves(start: Callable[[], Process]) -> None:
    daemon = start()

    assert "mode observe" in daemon.output
    assert f"serving http://127.0.0.1:{daemon.port}/ and http" in daemon.output
    assert "Other links: " in daemon.output
    assert "May not see: " in daemon.output
    assert 'nodemend_monitor_up{monitor="nic"} 1.0' in daemon.get("/metrics")
    assert json.loads(daemon.get("/healthz"))["healthy"]

    status = daemon.command("status", "--json")
    assert (0, "observe") == (status.returncode, json.loads(status.stdout)["mode"])
    assert "\nnodemend 0." in daemon.command("status").stdout


def test_it_ends_when_told_and_leaves_a_replayable_recording(
    start: Callable[[], Process],
) -> None:
    daemon = start()

    assert 0 == daemon.end(signal.SIGTERM)
    assert "nodemend ends: received SIGTERM" in daemon.output
    assert isinstance(store.STATE.load(daemon.state), Durable)
    assert not (daemon.runtime / "control.sock").exists()
    (segment,) = (daemon.runtime / "recording").glob("*.jsonl")
    replayed = daemon.command("replay", str(segment))
    assert (0, True) == (replayed.returncode, ", 0 with other outputs" in replayed.stdout)


def test_ctrl_c_is_an_orderly_end(start: Callable[[], Process]) -> None:
    daemon = start()

    assert 0 == daemon.end(signal.SIGINT)
    assert "Traceback" not in daemon.output


def test_a_killed_daemon_starts_again_and_its_recording_replays(
    start: Callable[[], Process],
) -> None:
    daemon = start()
    daemon.end(signal.SIGKILL)
    daemon.output = ""
    daemon.restart()
    daemon.wait_for_line("watches")

    assert 0 == daemon.end(signal.SIGTERM)
    segments = sorted((daemon.runtime / "recording").glob("*.jsonl"))
    assert [0, 0] == [daemon.command("replay", str(s)).returncode for s in segments]


def test_a_second_daemon_is_kept_out(start: Callable[[], Process]) -> None:
    daemon = start()

    second = daemon.command("run", "--config", str(daemon.config))

    assert 1 == second.returncode
    assert f"another nodemend is running: process {daemon.process.pid}" in second.stderr
    assert 0 == daemon.command("status").returncode, "the first one is not disturbed"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = tmp_path / "c.yaml"
        config.write_text(f"listen: 127.0.0.1:{port}\n")
        environment = {
            **os.environ,
            "STATE_DIRECTORY": str(tmp_path / "state"),
            "RUNTIME_DIRECTORY": str(tmp_path / "run"),
        }
        failed = command(environment, "run", "--config", str(config))

    assert 1 == failed.returncode
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in failed.stderr


def test_a_spoiled_state_is_told_and_set_aside(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / store.FILE_NAME).write_text("{")
    daemon = Process(tmp_path)
    daemon.wait_for_line("watches")

    assert "the saved state cannot be used (it is damaged" in daemon.output
    assert (tmp_path / "state" / f"{store.FILE_NAME}.set-aside").exists()
    assert 0 == daemon.end(signal.SIGTERM)


def test_without_a_daemon_status_says_what_to_do(tmp_path: Path) -> None:
    answer = command({**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)}, "status")

    assert 1 == answer.returncode
    assert f"no daemon answers at {tmp_path}/control.sock" in answer.stderr
