"""What the daemon does on SIGHUP, what systemd is told of it, and how a step is cut off."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent import store
from agent.model.actions import SetUsbPower
from agent.model.state import Durable, StepInProgress
from agent.observe import clock
from tests.builders import CONNECTOR, LINK, watching
from tests.unit.process import DEADLINE_SECONDS, Process

pytestmark = [pytest.mark.allow_subprocess, pytest.mark.allow_network]
LOADED = 'nodemend_config_last_reload_successful{file="config"}'


class Systemd:
    """The socket at which systemd listens to a service of Type=notify."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(DEADLINE_SECONDS)

    def wait_for(self, words: str) -> str:
        while True:
            message = self._socket.recv(4096).decode()
            self.heard.append(message)
            if words in message:
                return message

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with contextlib.closing(Systemd(tmp_path / "notify")) as listening:
        yield listening


@pytest.fixture
def daemon(tmp_path: Path, systemd: Systemd) -> Iterator[Process]:
    process = Process(tmp_path, {"NOTIFY_SOCKET": str(systemd.path)})
    systemd.wait_for("READY=1")
    process.wait_for_line("watches")
    yield process
    if process.process.poll() is None:
        process.end(signal.SIGKILL)


def reload(daemon: Process, systemd: Systemd, text: str) -> None:
    """As `systemctl reload` does it: it is over when the service is ready again."""
    daemon.config.write_text(text)
    daemon.process.send_signal(signal.SIGHUP)
    reloading = systemd.wait_for("RELOADING=1")
    monotonic_us = int(reloading.partition("MONOTONIC_USEC=")[2].split()[0])
    assert 0 <= time.monotonic() - monotonic_us / 1e6 < DEADLINE_SECONDS
    systemd.wait_for("READY=1")


def metric(daemon: Process, series: str) -> float:
    text = daemon.get("/metrics")
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(series))


def test_a_good_configuration_is_in_force_when_the_reload_is_over(
    daemon: Process, systemd: Systemd
) -> None:
    reload(daemon, systemd, f"listen: 127.0.0.1:{daemon.port}\nmode: remediate\n")
    daemon.wait_for_line(f"{daemon.config} is in force now: mode remediate")

    assert 1 == metric(daemon, 'nodemend_mode{mode="remediate"}')
    assert 1 == metric(daemon, LOADED)


def test_a_bad_one_changes_nothing_and_says_why(daemon: Process, systemd: Systemd) -> None:
    reload(daemon, systemd, f"listen: 127.0.0.1:{daemon.port}\nmode: perhaps\n")
    daemon.wait_for_line(f"{daemon.config} is wrong, the configuration before stays in force")

    assert f"{daemon.config}:2: mode: expected observe or remediate" in daemon.output
    assert (0, 1) == (metric(daemon, LOADED), metric(daemon, 'nodemend_mode{mode="observe"}'))
    systemd.wait_for("the configuration on disk is wrong, an older one is in force")


def test_a_file_that_is_gone_is_refused_too(daemon: Process, systemd: Systemd) -> None:
    daemon.config.unlink()
    daemon.process.send_signal(signal.SIGHUP)
    systemd.wait_for("READY=1")

    daemon.wait_for_line("No such file or directory")
    assert 0 == metric(daemon, LOADED)


def test_it_moves_to_another_port_and_stays_where_that_is_taken(
    daemon: Process, systemd: Systemd
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        reload(daemon, systemd, f"listen: 127.0.0.1:{taken}\n")
        daemon.wait_for_line(f"cannot listen on 127.0.0.1:{taken}: Address already in use")
        assert json.loads(daemon.get("/healthz"))["healthy"]
    former = daemon.port
    reload(daemon, systemd, f"listen: 127.0.0.1:{taken}\n")
    daemon.port = taken

    assert 1 == metric(daemon, LOADED)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", former), timeout=5)


def test_observe_on_the_command_line_outlives_a_reload(tmp_path: Path, systemd: Systemd) -> None:
    process = Process(tmp_path, {"NOTIFY_SOCKET": str(systemd.path)}, "--observe")
    try:
        systemd.wait_for("READY=1")
        reload(process, systemd, f"listen: 127.0.0.1:{process.port}\nmode: remediate\n")
        assert 1 == metric(process, 'nodemend_mode{mode="observe"}')
    finally:
        process.end(signal.SIGKILL)


def test_a_step_in_flight_is_taken_back_before_the_end(
    tmp_path: Path, start: Callable[[], Process]
) -> None:
    """Its device is gone by now: the inverse is tried, and refused, and the record is closed."""
    inverse = SetUsbPower("undo-1", "tune", CONNECTOR, 3, LINK.device, "99-99", 2, "auto")
    step = StepInProgress("tune-1", "tune", "verifying", inverse)
    nic = replace(watching().state.nics[CONNECTOR], link=None, step=step)
    (tmp_path / "state").mkdir()
    store.STATE.save(tmp_path / "state", Durable(clock.boot_id(), {CONNECTOR: nic}))
    daemon = start()

    assert 0 == daemon.end(signal.SIGTERM)
    assert "has no verdict yet, and is taken back" in daemon.output
    assert "not taken back: /sys/bus/usb/devices/99-99/devnum is gone" in daemon.output
    saved = store.STATE.load(daemon.state)
    assert isinstance(saved, Durable)
    assert (None, True) == (saved.nics[CONNECTOR].step, saved.ended)


def test_three_kills_in_a_row_make_it_observe(start: Callable[[], Process]) -> None:
    daemon = start()
    daemon.config.write_text(f"listen: 127.0.0.1:{daemon.port}\nmode: remediate\n")
    for crashes in range(3):
        wait_until_saved(daemon, crashes)
        daemon.end(signal.SIGKILL)
        daemon.output = ""
        daemon.restart()
        daemon.wait_for_line("watches")

    assert "nodemend only observes, until further notice: 3 starts" in daemon.output
    assert 1 == metric(daemon, 'nodemend_mode{mode="observe"}')
    assert 0 == daemon.end(signal.SIGTERM)
    daemon.output = ""
    daemon.restart()
    daemon.wait_for_line("watches")
    assert 1 == metric(daemon, 'nodemend_mode{mode="remediate"}')


def wait_until_saved(daemon: Process, crashes: int) -> None:
    """That it runs is on disk, and how many starts came after a crash."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        saved = store.STATE.peek(daemon.state)
        told = isinstance(saved, Durable) and (saved.ended, len(saved.unclean_starts_wall_ns))
        if told == (False, crashes):
            return
        assert time.monotonic() < deadline
