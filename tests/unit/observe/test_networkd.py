"""Restarts of systemd-networkd, by its main process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.facts_of_cni import NetworkdRestarted
from agent.observe import networkd
from agent.observe.networkd import NetworkdWatch

pytestmark = pytest.mark.allow_subprocess
PROCS = "sys/fs/cgroup/system.slice/systemd-networkd.service/cgroup.procs"


class Unit:
    """A networkd that does nothing but run."""

    def __init__(self, root: Path) -> None:
        self._procs = root / PROCS
        self._procs.parent.mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self._procs.write_text(f"{self.process.pid}\n")

    def stop(self) -> None:
        if self.process is not None:
            self.process.communicate()
        self._procs.write_text("")


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Unit]:
    monkeypatch.setattr(networkd, "LOOK_SECONDS", 0.0)
    unit = Unit(tmp_path)
    yield unit
    unit.stop()


def test_the_first_that_is_found_is_no_restart(unit: Unit, tmp_path: Path) -> None:
    unit.start()
    watch = NetworkdWatch(tmp_path)

    assert [] == watch.read()
    assert watch.fileno() is not None
    watch.close()


def test_another_process_is_one(unit: Unit, tmp_path: Path) -> None:
    unit.start()
    watch = NetworkdWatch(tmp_path)
    watch.read()
    unit.stop()
    assert [] == watch.read(), "it has ended, and there is no other one yet"
    assert watch.fileno() is None
    unit.start()

    (fact,) = watch.read()
    assert isinstance(fact, NetworkdRestarted)
    assert [] == watch.read()
    watch.close()


def test_where_there_is_none_nothing_is_told(tmp_path: Path) -> None:
    watch = NetworkdWatch(tmp_path)

    assert [] == watch.read()
    assert watch.fileno() is None
