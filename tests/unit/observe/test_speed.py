"""A link's speed by a child: what it says, and what becomes of one that hangs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.observe import speed
from agent.observe.speed import SpeedReader

pytestmark = pytest.mark.allow_subprocess


class Child(subprocess.Popen[bytes]):
    """Remembers all of its kind."""

    started: list[Child]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Start it."""
        super().__init__(*arguments, **options)
        self.started.append(self)


class Unkillable(Child):
    def kill(self) -> None:
        """Do as a process that hangs in the kernel does."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Child]]:
    children: list[Child] = []
    monkeypatch.setattr(Child, "started", children, raising=False)
    monkeypatch.setattr(subprocess, "Popen", Child)
    yield children
    for child in children:
        child.send_signal(signal.SIGKILL)
        child.wait(10)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The attribute's place, with nothing there."""
    (tmp_path / "class/net/eth0").mkdir(parents=True)
    return tmp_path / "class/net/eth0/speed"


@pytest.fixture
def hanging(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hold whoever opens it: a FIFO that nobody writes to."""
    os.mkfifo(file)
    monkeypatch.setattr(speed, "DEADLINE_SECONDS", 0.05)
    return file


@pytest.mark.parametrize(
    ("text", "bits"),
    [("2500", 2_500_000_000), ("10", 10_000_000), ("-1", None), ("0", None)],
)
def test_a_speed(tmp_path: Path, file: Path, text: str, bits: int | None) -> None:
    file.write_text(text + "\n")

    assert bits == SpeedReader().read("eth0", tmp_path)


def test_a_driver_without_a_speed(tmp_path: Path, file: Path) -> None:
    file.mkdir()  # read() fails, as it does with EINVAL in sysfs

    assert SpeedReader().read("eth0", tmp_path) is None


def test_a_link_that_is_gone(tmp_path: Path) -> None:
    assert SpeedReader().read("eth0", tmp_path) is None


@pytest.mark.usefixtures("hanging")
def test_a_reading_that_hangs_is_given_up_and_its_child_killed(
    tmp_path: Path, started: list[Child]
) -> None:
    with pytest.raises(TimeoutError, match="no answer within"):
        SpeedReader().read("eth0", tmp_path)

    (child,) = started
    assert -signal.SIGKILL == child.returncode
    assert child.stdout is not None
    assert child.stdout.closed


def test_after_a_hang_that_could_be_ended_the_next_reading_is_made(
    tmp_path: Path, hanging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = SpeedReader()
    with pytest.raises(TimeoutError, match="no answer within"):
        reader.read("eth0", tmp_path)
    hanging.unlink()
    hanging.write_text("1000\n")
    monkeypatch.setattr(speed, "DEADLINE_SECONDS", 30.0)

    assert 1_000_000_000 == reader.read("eth0", tmp_path)


def test_a_child_that_cannot_be_killed_is_not_multiplied(
    tmp_path: Path, hanging: Path, started: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", Unkillable)
    monkeypatch.setattr(speed, "KILL_SECONDS", 0.05)
    reader = SpeedReader()
    with pytest.raises(TimeoutError, match="no answer within"):
        reader.read("eth0", tmp_path)
    for _ in range(3):
        with pytest.raises(BlockingIOError, match="still hangs in the kernel"):
            reader.read("eth0", tmp_path)
    (child,) = started

    child.send_signal(signal.SIGKILL)
    child.wait(10)
    hanging.unlink()
    hanging.write_text("100\n")
    monkeypatch.setattr(speed, "DEADLINE_SECONDS", 30.0)
    assert 100_000_000 == reader.read("eth0", tmp_path), "once it has ended"
