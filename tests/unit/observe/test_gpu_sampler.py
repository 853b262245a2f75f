"""The process that talks to NVML is kept going: one at a time, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Condition

import pytest

from agent.model.gpu import GpuReport
from agent.observe import gpu_process, gpu_sampler
from agent.observe.gpu_line import Farewell
from agent.observe.gpu_process import sample_once
from agent.observe.gpu_sampler import Failure, Sampler
from tests.nvml_double import Script, t4

pytestmark = pytest.mark.allow_subprocess

DEADLINE_SECONDS = 30.0


class Told:
    """What the sampler tells, to be waited for."""

    def __init__(self) -> None:
        self._condition = Condition()
        self.reports: list[GpuReport] = []
        self.failures: list[Failure] = []
        self.words: list[str] = []
        self.starts = 0

    def absent(self, words: str) -> None:
        self._add(lambda: self.words.append(words))

    def starting(self) -> None:
        self._add(lambda: setattr(self, "starts", self.starts + 1))

    def heard(self, report: GpuReport) -> None:
        self._add(lambda: self.reports.append(report))

    def failed(self, failure: Failure) -> None:
        self._add(lambda: self.failures.append(failure))

    def released(self, words: str) -> None:
        self._add(lambda: self.words.append(f"released {words}"))

    def wait(self, condition: Callable[[], object]) -> None:
        with self._condition:
            assert self._condition.wait_for(condition, DEADLINE_SECONDS)

    def _add(self, change: Callable[[], None]) -> None:
        with self._condition:
            change()
            self._condition.notify_all()


@pytest.fixture
def told(
    library: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Told, Sampler]]:
    """A sampler that is not patient, on a T4."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("NVML_DOUBLE", str(script.path))
    monkeypatch.setattr(gpu_process, "DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(gpu_sampler, "RETRY_SECONDS_MAX", 0.1)
    monkeypatch.setattr(gpu_sampler, "STUCK_SECONDS", 0.05)
    monkeypatch.setattr(gpu_sampler, "_RETRY_SECONDS_MIN", {})
    script.write(*t4(1000))
    listener = Told()
    sampler = Sampler(listener, 0.02)
    sampler.start()
    yield listener, sampler
    sampler.close(DEADLINE_SECONDS)
    assert not sampler.is_alive


def children() -> list[int]:
    """Of this process, that are not dead."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.append(int(stat.parent.name))
    return found


def test_it_samples(told: tuple[Told, Sampler]) -> None:
    listener, _ = told
    listener.wait(lambda: len(listener.reports) >= 3)

    assert all(report.readings for report in listener.reports)
    assert (1, []) == (listener.starts, listener.failures)


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        ("hang nvmlDeviceGetMemoryInfo_v2", "deadline", "no sample within"),
        ("crash nvmlDeviceGetMemoryInfo_v2", "crash", "killed by SIGSEGV"),
        ("fail nvmlDeviceGetMemoryInfo_v2 18", "driver_replaced", "mismatch"),
        ("lost 0", "gpu_lost", "GPU is lost"),
    ],
)
def test_what_ends_it_is_told_and_another_one_goes_on(
    told: tuple[Told, Sampler], script: Script, line: str, reason: str, words: str
) -> None:
    listener, _ = told
    listener.wait(lambda: listener.reports)

    script.add(line)
    listener.wait(lambda: listener.failures)
    script.write(*t4(1000))
    before = len(listener.reports)
    listener.wait(lambda: len(listener.reports) > before)

    failure = listener.failures[0]
    assert (reason, True) == (failure.reason, words in failure.words)
    assert len(children()) <= 1


def test_the_first_sample_is_waited_for_as_long_as_nvml_needs(
    told: tuple[Told, Sampler], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only then: a driver without persistence initialises its GPUs when it is opened."""
    listener, _ = told
    listener.wait(lambda: listener.reports)
    monkeypatch.setattr(gpu_process, "FIRST_SECONDS", 2.0)
    script.add("hang nvmlInit", "crash nvmlDeviceGetMemoryInfo_v2")
    listener.wait(lambda: len(listener.failures) >= 2)

    assert ["crash", "deadline"] == [failure.reason for failure in listener.failures[:2]]
    assert "no sample within 2 s" == listener.failures[1].words


def test_a_process_that_cannot_be_killed_is_told_and_not_multiplied(
    told: tuple[Told, Sampler], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, sampler = told
    listener.wait(lambda: listener.reports)
    (child,) = children()
    monkeypatch.setattr(gpu_sampler, "KILL_SECONDS", 0.1)

    with monkeypatch.context() as unkillable:
        unkillable.setattr(subprocess.Popen, "kill", lambda _child: None)
        script.add("hang nvmlDeviceGetMemoryInfo_v2")
        listener.wait(lambda: listener.failures)
    failure = listener.failures[0]
    assert (None, True) == (failure.retry_seconds, f"{child} hangs in the kernel" in failure.words)
    sampler.release(60)
    listener.wait(lambda: listener.words)
    assert f"process {child} hangs" in listener.words[0], "it cannot be released either"
    sampler.resume()
    assert ([child], 1) == (children(), listener.starts)

    script.write(*t4(1000))
    os.kill(child, signal.SIGKILL)
    listener.wait(lambda: listener.starts == 2)


FREEZER = Path("/sys/fs/cgroup/freezer")


@pytest.mark.allow_sysfs
def test_one_that_really_cannot_be_killed(
    told: tuple[Told, Sampler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1's freezer holds a process as the kernel does: SIGKILL waits until it thaws."""
    group = FREEZER / f"nodemend-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no freezer of cgroup version 1 here: {error.strerror}")
    listener, _ = told
    monkeypatch.setattr(gpu_sampler, "KILL_SECONDS", 0.2)
    listener.wait(lambda: listener.reports)
    (child,) = children()
    try:
        (group / "cgroup.procs").write_text(str(child))
        (group / "freezer.state").write_text("FROZEN")
        listener.wait(lambda: listener.failures)
        assert f"{child} hangs in the kernel" in listener.failures[0].words
        assert ([child], 1) == (children(), listener.starts)
    finally:
        (group / "freezer.state").write_text("THAWED")
    listener.wait(lambda: listener.starts == 2)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while group.exists() and time.monotonic() < deadline:
        with suppress(OSError):  # busy, until the process is gone
            group.rmdir()


def test_released_nothing_runs_until_it_is_taken_up(told: tuple[Told, Sampler]) -> None:
    listener, sampler = told
    listener.wait(lambda: listener.reports)
    sampler.release(60)
    listener.wait(lambda: "released " in listener.words)
    assert [] == children()

    before = len(listener.reports)
    sampler.resume()
    listener.wait(lambda: len(listener.reports) > before)
    assert [] == listener.failures


def test_released_for_a_while_it_begins_again_by_itself(told: tuple[Told, Sampler]) -> None:
    listener, sampler = told
    listener.wait(lambda: listener.reports)
    sampler.release(0.2)
    listener.wait(lambda: listener.starts == 2)

    assert "released " in listener.words


def test_another_interval_is_another_process_and_no_failure(told: tuple[Told, Sampler]) -> None:
    listener, sampler = told
    listener.wait(lambda: listener.reports)
    sampler.use(0.03)
    listener.wait(lambda: listener.starts == 2)

    assert [] == listener.failures
    assert len(children()) <= 1


def test_without_a_library_there_is_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu_sampler, "find_library", lambda: None)
    listener = Told()
    sampler = Sampler(listener, 1.0)
    sampler.start()
    listener.wait(lambda: listener.words)
    sampler.close(DEADLINE_SECONDS)

    assert (["no libnvidia-ml.so.1 is found here: no NVIDIA driver"], 0) == (
        listener.words,
        listener.starts,
    )


def test_each_failure_in_a_row_waits_longer(
    library: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("NVML_DOUBLE", str(script.path))
    pauses: list[float] = []
    monkeypatch.setattr(Sampler, "_pause", lambda _self, seconds: pauses.append(seconds))
    script.write(*t4(), "fail nvmlInit 4")
    listener = Told()
    sampler = Sampler(listener, 0.02)
    sampler.start()
    listener.wait(lambda: len(listener.failures) >= 4)
    sampler.close(DEADLINE_SECONDS)

    assert [1.0, 2.0, 4.0, 8.0] == pauses[:4]


def test_one_sample_for_who_has_no_daemon(
    library: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("NVML_DOUBLE", str(script.path))
    script.write(*t4(1000))
    assert isinstance(sample_once(), GpuReport)

    script.add("crash nvmlDeviceGetMemoryInfo_v2")
    assert Farewell("crash", "the sampler ended with SIGSEGV") == sample_once()

    script.write(*t4(1000), "hang nvmlInit")
    with pytest.raises(TimeoutError, match="NVML did not answer"):
        sample_once(0.5)
