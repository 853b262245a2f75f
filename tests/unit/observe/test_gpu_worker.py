"""The sampler's process: the real pynvml on a library with NVML's ABI, of one driver or another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.model.gpu import GpuReading, GpuReport, GpuXid
from agent.observe.gpu_line import Farewell, from_line
from tests.nvml_double import ABIS, DRIVER, T4_MIB, T4_RESERVED_MIB, T4_UUID, Script, t4

pytestmark = pytest.mark.allow_subprocess

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024
US = os.getpid()
NO_SUCH_PID = 2**22 + 1  # above PID_MAX_LIMIT


class Worker:
    """The process, read line by line."""

    def __init__(self, library: Path, script: Script, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.observe.gpu_worker", *(options or ("--once",))],
            cwd=ROOT,
            env=script.environment(library),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def say(self) -> GpuReport | Farewell:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode() if self.process.stderr else ""
        return from_line(line)

    def report(self) -> GpuReport:
        said = self.say()
        assert isinstance(said, GpuReport), said
        return said

    def reading(self) -> GpuReading:
        report = self.report()
        assert "" == report.dropped
        (reading,) = report.readings
        return reading


@pytest.fixture
def work(library: Path, script: Script) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(*options: str, library: Path = library) -> Worker:
        worker = Worker(library, script, *options)
        started.append(worker)
        return worker

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def held(reading: GpuReading) -> dict[int, float | None]:
    """MiB by pid."""
    return {p.pid: p.used_bytes and p.used_bytes / MIB for p in reading.processes}


@pytest.mark.parametrize("abi", ABIS)
def test_every_drivers_structures_are_understood(
    abi: str,
    nvml_libraries: Callable[[str], Path],
    script: Script,
    work: Callable[..., Worker],
) -> None:
    script.write(*t4(6000, [f"process 0 C {US} 1000", "process 0 C 1 4000"]))

    reading = work(library=nvml_libraries(abi)).reading()

    assert {US: 1000, 1: 4000} == held(reading)


def test_a_tesla_t4_of_driver_535(script: Script, work: Callable[..., Worker]) -> None:
    script.write(*t4(6000, [f"process 0 C {US} 1000"]), "mode 0 3 1 0")

    report = work().report()
    (reading,) = report.readings

    assert (DRIVER, T4_UUID, "Tesla T4") == (report.driver_version, reading.gpu_uuid, reading.name)
    assert (15360, 448) == (T4_MIB, T4_RESERVED_MIB)
    assert (T4_MIB * MIB, 6000 * MIB) == (reading.total_bytes, reading.used_bytes)
    assert (448 * MIB, (15360 - 448 - 6000) * MIB) == (reading.reserved_bytes, reading.free_bytes)
    assert (3, True) == (reading.compute_mode, reading.persistence)
    (process,) = reading.processes
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    comm = Path("/proc/self/comm").read_text().strip()
    assert (int(fields[19]), comm) == (process.start_ticks, process.process)


@pytest.mark.parametrize("code", [13, 25, 999])
def test_where_the_newer_memory_call_is_missing_the_older_one_is_asked(
    code: int, script: Script, work: Callable[..., Worker]
) -> None:
    script.write(*t4(6000), f"fail nvmlDeviceGetMemoryInfo_v2 {code}")

    reading = work().reading()

    assert (None, (6000 + 448) * MIB) == (reading.reserved_bytes, reading.used_bytes)


def test_a_process_on_two_lists_counts_once_with_the_larger(
    script: Script, work: Callable[..., Worker]
) -> None:
    lists = [f"process 0 C {US} 1000", f"process 0 G {US} 1200", f"process 0 M {US} 900"]
    script.write(*t4(6000, lists))

    assert {US: 1200} == held(work().reading())


def test_mps_clients_are_processes(script: Script, work: Callable[..., Worker]) -> None:
    script.write(*t4(6000, [f"process 0 M {US} 1000", "process 0 C 1 30"]))

    assert {US: 1000, 1: 30} == held(work().reading())


def test_what_a_process_has_of_several_mig_instances_adds_up(
    script: Script, work: Callable[..., Worker]
) -> None:
    first, second = f"process 0 C {US} 1000", f"process 0 C {US} 500"
    script.write(*t4(6000, [first, f"instance 0 {US} 1 0", second]))

    assert {US: 1500} == held(work().reading())


def test_not_available_is_unknown_and_not_nothing(
    script: Script, work: Callable[..., Worker]
) -> None:
    script.write(*t4(6000, [f"process 0 C {US} na", "process 0 C 1 10"]))

    assert {US: None, 1: 10} == held(work().reading())


def test_a_process_that_comes_between_two_calls_is_no_failure(
    script: Script, work: Callable[..., Worker]
) -> None:
    script.write(*t4(6000, [f"process 0 C {US} 1000"]), "race 3")

    assert {US: 1000} == held(work().reading())


def test_more_processes_than_the_first_buffer_holds(
    script: Script, work: Callable[..., Worker]
) -> None:
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(150)]
    try:
        script.write(*t4(6000, [f"process 0 C {child.pid} 10" for child in children]))
        found = held(work().reading())
    finally:
        for child in children:
            child.kill()
            child.wait()

    assert {child.pid for child in children} == found.keys()


def test_a_list_that_the_driver_does_not_have(script: Script, work: Callable[..., Worker]) -> None:
    lists = [f"process 0 C {US} 1000"]
    script.write(*t4(6000, lists), "fail nvmlDeviceGetMPSComputeRunningProcesses 3")
    reading = work().reading()

    assert ({US: 1000}, True) == (held(reading), reading.is_listed)

    script.add("fail nvmlDeviceGetComputeRunningProcesses 3")
    reading = work().reading()
    assert ({}, False) == (held(reading), reading.is_listed)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([f"process 0 C {NO_SUCH_PID} 10"], "processes that do not exist (4194305)"),
        ([f"process 0 C {US} 15000", "process 0 C 1 15000"], "processes hold 31457280000 of"),
        (["fail nvmlDeviceGetMemoryInfo 999", "fail nvmlDeviceGetMemoryInfo_v2 999"], "999"),
        (["fail nvmlDeviceGetComputeRunningProcesses 10"], "ComputeRunningProcesses: Timeout"),
    ],
)
def test_a_sample_that_cannot_be_true_is_dropped(
    lines: list[str], words: str, script: Script, work: Callable[..., Worker]
) -> None:
    script.write(*t4(6000), *lines)

    report = work().report()

    assert () == report.readings
    assert words in report.dropped


def test_processes_come_and_go(script: Script, work: Callable[..., Worker]) -> None:
    script.write(*t4(6000))
    worker = work("--interval-ms", "20")
    assert {} == held(worker.reading())

    script.add(f"process 0 C {US} 1000")
    while not (found := held(worker.reading())):
        pass
    assert {US: 1000} == found

    script.remove(f"process 0 C {US} 1000")
    while held(worker.reading()):
        pass


def test_faults_are_told_once_each(script: Script, work: Callable[..., Worker]) -> None:
    script.write(*t4(6000), "xid 0 79")
    worker = work("--interval-ms", "20")
    assert () == worker.report().xids, "what was before nobody is told of"

    script.add("xid 0 13", "xid 0 13", "xid 0 31")
    told: list[GpuXid] = []
    while len(told) < 3:
        told += worker.report().xids
    for _ in range(5):
        told += worker.report().xids

    assert [GpuXid(T4_UUID, code) for code in (13, 13, 31)] == told


def test_where_events_fail_samples_go_on(script: Script, work: Callable[..., Worker]) -> None:
    script.write(*t4(6000), "fail nvmlEventSetWait 999")
    worker = work("--interval-ms", "20")

    assert all(not worker.report().dropped for _ in range(5))


def test_accounting_tells_a_peak_also_of_a_process_that_has_ended(
    script: Script, work: Callable[..., Worker]
) -> None:
    child = subprocess.Popen(["sleep", "60"])
    mine = f"process 0 C {child.pid} 100 900"
    script.write(*t4(6000, [mine]), "mode 0 0 0 1")
    worker = work("--interval-ms", "20")
    (process,) = worker.reading().processes
    assert 900 * MIB == process.peak_bytes

    child.kill()
    child.wait()
    script.write(*t4(6000, [f"process 0 X {child.pid} 0 1500"]), "mode 0 0 0 1")
    while not (ended := worker.reading().ended):
        pass

    (gone,) = ended
    assert (child.pid, process.start_ticks) == (gone.pid, gone.start_ticks)
    assert 1500 * MIB == gone.peak_bytes


def test_accounting_that_is_off_is_not_asked(script: Script, work: Callable[..., Worker]) -> None:
    lines = [f"process 0 C {US} 100 900"]
    script.write(*t4(6000, lines), "mode 0 0 0 0", "crash nvmlDeviceGetAccountingStats")
    (process,) = work().reading().processes

    assert process.peak_bytes is None


def test_one_of_two_gpus_is_lost(script: Script, work: Callable[..., Worker]) -> None:
    script.write(*t4(6000), "gpu GPU-2 15360 448 0 Tesla T4")
    worker = work("--interval-ms", "20")
    assert ["", ""] == [reading.failure for reading in worker.report().readings]

    script.add("lost 1")
    while not (failures := [reading.failure for reading in worker.report().readings])[1]:
        pass
    assert "" == failures[0], "the other one is sampled as ever"
    assert "GPU is lost (NVML error 15)" in failures[1]

    script.add("lost 0")
    while isinstance(said := worker.say(), GpuReport):
        assert "" == said.dropped
    assert "gpu_lost" == said.reason, "when all are"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["fail nvmlInit 18"], "driver_replaced"),
        (["fail nvmlInit 9"], "no_driver"),
        (["fail nvmlInit 4"], "crash"),
        (["fail nvmlDeviceGetMemoryInfo_v2 18"], "driver_replaced"),
        (["fail nvmlDeviceGetHandleByIndex 15"], "gpu_lost"),
        (["fail nvmlDeviceGetMemoryInfo_v2 16"], "gpu_lost"),
    ],
)
def test_what_only_another_process_can_do_is_said_with_the_end(
    lines: list[str], reason: str, script: Script, work: Callable[..., Worker]
) -> None:
    script.write(*t4(6000), *lines)

    said = work().say()

    assert isinstance(said, Farewell)
    assert reason == said.reason


def test_no_gpu_at_all(script: Script, work: Callable[..., Worker]) -> None:
    script.write("driver 535.247.01")

    assert Farewell("no_driver", "NVML lists no GPU") == work().say()


def test_a_crash_in_the_library_is_the_processes_own(
    script: Script, work: Callable[..., Worker]
) -> None:
    script.write(*t4(6000), "crash nvmlDeviceGetMemoryInfo_v2")
    worker = work()

    assert -signal.SIGSEGV == worker.process.wait(30)


def test_it_ends_when_nobody_reads_any_more(script: Script, work: Callable[..., Worker]) -> None:
    script.write(*t4(6000))
    worker = work("--interval-ms", "20")
    worker.report()
    assert worker.process.stdout is not None
    worker.process.stdout.close()

    assert 0 == worker.process.wait(30)
    worker.process.stdout = None
