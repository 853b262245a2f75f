"""The whole daemon, the real pynvml, and a library with NVML's ABI."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.nvml_double import T4_UUID, Script, t4
from tests.unit.process import DEADLINE_SECONDS, Process, command

pytestmark = [pytest.mark.allow_subprocess, pytest.mark.allow_network]

MIB = 1024 * 1024
US = os.getpid()
UP = f'nodemend_gpu_up{{gpu_uuid="{T4_UUID}"}}'
PROCESSES = f'nodemend_gpu_processes{{gpu_uuid="{T4_UUID}"}}'


class Watched:
    """A daemon on a T4."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.daemon = Process(directory, environment)
        self.daemon.wait_for_line("watches")

    def until(self, series: str, value: float | None) -> str:
        """The metrics, once a series has the value; None: once it is gone."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            text = ""
            # A daemon that is starved of processor time turns away who has not asked within 5 s.
            with suppress(OSError):
                text = self.daemon.get("/metrics")
            found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
            if text and (float(found[1]) if found else None) == value:
                return text
            assert time.monotonic() < deadline, f"{series} is not {value}:\n{text}"

    def until_sampled(self) -> None:
        """Sources are judged once a second, a while after the first sample."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            said = self.daemon.command("status", "--json").stdout
            if json.loads(said)["sources"]["gpu"]["condition"] == "ok":
                return
            assert time.monotonic() < deadline, said

    def gpu(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.daemon.command("gpu", "--format", "json").stdout)
        return found

    def sampler(self) -> int | None:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                if int(parent) == self.daemon.process.pid and state != "Z":
                    return int(stat.parent.name)
        return None


T4 = t4(6000, [f"process 0 C {US} 5900"])


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, nvml_libraries: Callable[[str], Path]
) -> Iterator[tuple[Watched, Script]]:
    """One for most tests: starting it is the longest part of each."""
    directory = tmp_path_factory.mktemp("gpu")
    script = Script(directory / "nvml-script")
    script.write(*T4)
    found = Watched(directory, script.environment(nvml_libraries("current")))
    yield found, script
    found.daemon.end(signal.SIGTERM)


@pytest.fixture
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Script:
    """The shared daemon's, for a test that uses it."""
    if "watched" in request.fixturenames:
        shared: tuple[Watched, Script] = request.getfixturevalue("daemon")
        return shared[1]
    return Script(tmp_path / "nvml-script")


@pytest.fixture
def watched(daemon: tuple[Watched, Script], script: Script) -> Watched:
    """As it is when all is well."""
    script.write(*T4)
    found, _ = daemon
    found.daemon.output = ""
    found.until(UP, 1)
    found.until(PROCESSES, 1)
    return found


def test_it_shows_who_holds_what(watched: Watched) -> None:
    text = watched.until(PROCESSES, 1)

    comm = Path("/proc/self/comm").read_text().strip()
    mine = f'{{gpu_uuid="{T4_UUID}",pid="{US}",process="{comm}"}}'
    for series, mib in {
        f'gpu_memory_total_bytes{{gpu_uuid="{T4_UUID}"}}': 15360,
        f'gpu_memory_used_bytes{{gpu_uuid="{T4_UUID}"}}': 6000,
        f'gpu_memory_reserved_bytes{{gpu_uuid="{T4_UUID}"}}': 448,
        f'gpu_memory_unattributed_bytes{{gpu_uuid="{T4_UUID}"}}': 100,
        f"gpu_process_memory_used_bytes{mine}": 5900,
    }.items():
        assert float(mib * MIB) == float(text.partition(f"nodemend_{series} ")[2].split()[0])
    watched.until_sampled()
    assert "Tesla T4" in watched.daemon.command("gpu").stdout
    markdown = watched.daemon.command("gpu", "--by", "process", "--format", "markdown").stdout
    assert f"| {US} | {comm} |" in markdown
    assert "holds 5,900 MiB" in watched.daemon.get("/")


def test_series_vanish_with_their_process(watched: Watched, script: Script) -> None:
    child = subprocess.Popen(["sleep", "60"])
    mine = f'nodemend_gpu_process_memory_used_bytes{{gpu_uuid="{T4_UUID}",pid="{child.pid}"'
    script.add(f"process 0 C {child.pid} 50")
    series = f'{mine},process="sleep"}}'
    watched.until(series, 50 * MIB)

    script.remove(f"process 0 C {child.pid} 50")
    child.kill()
    child.wait()

    assert str(child.pid) not in watched.until(series, None)


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        ("crash nvmlDeviceGetMemoryInfo_v2", "crash", "killed by SIGSEGV"),
        ("hang nvmlDeviceGetMemoryInfo_v2", "deadline", "no sample within 6 s"),
    ],
)
def test_a_sampler_that_fails_takes_its_numbers_with_it_and_nothing_else(
    watched: Watched, script: Script, line: str, reason: str, words: str
) -> None:
    script.add(line)
    text = watched.until(UP, 0)

    assert not re.search(r"^nodemend_gpu_(info|memory|process|pod|host)", text, re.MULTILINE)
    assert 'nodemend_monitor_up{monitor="gpu"} 0.0' in text
    assert 'nodemend_monitor_up{monitor="nic"} 1.0' in text
    watched.daemon.wait_for_line(f"({reason}): {words}")
    assert 1 == watched.daemon.command("gpu").returncode

    script.remove(line)
    watched.until(UP, 1)
    text = watched.until(PROCESSES, 1)
    restarts = f'nodemend_gpu_sampler_restarts_total{{reason="{reason}"}} '
    assert float(text.partition(restarts)[2].split()[0]) >= 1


def test_nvml_that_hangs_from_the_start_is_a_gpu_that_is_down(
    tmp_path: Path, library: Path, script: Script
) -> None:
    script.write(*t4(), "fail nvmlInit 9")
    found = Watched(tmp_path, script.environment(library))
    text = found.until('nodemend_gpu_up{gpu_uuid=""}', 0)
    found.daemon.end(signal.SIGTERM)

    assert 'nodemend_gpu_sampler_restarts_total{reason="no_driver"} 1.0' in text


def test_head_room_runs_out_and_somebody_ends(watched: Watched, script: Script) -> None:
    child = subprocess.Popen(["sleep", "60"])
    both = [f"process 0 C {US} 5900", f"process 0 C {child.pid} 50"]
    script.write(*t4(6050, both))
    watched.until(PROCESSES, 2)
    script.write(*t4(14800, both))
    watched.daemon.wait_for_line("has 112 of 15360 MiB free. Held by: ")
    assert "GPU Tesla T4 is FULL" in watched.daemon.command("status").stdout

    child.kill()
    child.wait()
    script.write(*t4(6000, both[:1]))
    watched.daemon.wait_for_line("likely a victim of the full Tesla T4")

    listed = watched.daemon.command("incidents", "list").stdout.splitlines()[0]
    assert "Tesla T4: its head-room ran out; open (1 process(es) ended meanwhile)" in listed
    shown = watched.daemon.command("incidents", "show", listed.split()[0]).stdout
    assert f"process {child.pid} (sleep): 50 MiB" in shown.partition("likely a victim")[2]


def test_a_fault_is_counted(watched: Watched, script: Script) -> None:
    script.add("xid 0 31")

    watched.until(f'nodemend_gpu_xid_errors_total{{gpu_uuid="{T4_UUID}",xid="31"}}', 1)
    watched.daemon.wait_for_line("Xid 31, a memory page fault")


def test_released_nothing_of_it_holds_the_driver(watched: Watched) -> None:
    sampler = watched.sampler()
    assert sampler is not None
    answer = watched.daemon.command("gpu", "release", "--for", "10m")

    assert (0, "") == (answer.returncode, answer.stderr)
    assert watched.sampler() is None
    maps = Path(f"/proc/{watched.daemon.process.pid}/maps").read_text()
    assert "libnvidia-ml" not in maps, "the daemon itself never loads it"
    watched.until('nodemend_monitor_up{monitor="gpu"}', None)

    assert 0 == watched.daemon.command("gpu", "resume").returncode
    watched.until(UP, 1)
    assert 2 == watched.daemon.command("gpu", "release", "--for", "soon").returncode


def test_another_interval_holds_with_a_reload(watched: Watched) -> None:
    former = watched.sampler()
    before = watched.daemon.config.read_text()
    watched.daemon.config.write_text(f"{before}gpu: {{interval: 500ms, top_processes: 0}}\n")
    watched.daemon.process.send_signal(signal.SIGHUP)
    watched.until(
        f'nodemend_gpu_process_memory_used_bytes{{gpu_uuid="{T4_UUID}",pid="other",'
        'process="other"}',
        5900 * MIB,
    )

    assert watched.sampler() != former
    watched.daemon.config.write_text(before)
    watched.daemon.process.send_signal(signal.SIGHUP)
    comm = Path("/proc/self/comm").read_text().strip()
    mine = f'{{gpu_uuid="{T4_UUID}",pid="{US}",process="{comm}"}}'
    watched.until(f"nodemend_gpu_process_memory_used_bytes{mine}", 5900 * MIB)


def test_a_daemon_that_is_killed_leaves_no_sampler(
    tmp_path: Path, library: Path, script: Script
) -> None:
    script.write(*T4)
    found = Watched(tmp_path, script.environment(library))
    found.until(UP, 1)
    sampler = found.sampler()
    found.daemon.end(signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while Path(f"/proc/{sampler}/maps").exists() and Path(f"/proc/{sampler}/maps").read_text():
        assert time.monotonic() < deadline, "it outlives the daemon"


def test_peaks_outlive_the_daemon(tmp_path: Path, library: Path, script: Script) -> None:
    uid = "0e9bd9d7-2d11-4f0e-8f4f-2f7f5d1d3c0a"
    peak = {
        "type": "Peak",
        "gpu_uuid": T4_UUID,
        "holder": {
            "type": "Holder",
            "unit": "",
            "pod_uid": uid,
            "namespace": "ml",
            "pod": "trainer-0",
            "container": "train",
        },
        "peak_bytes": 9000 * MIB,
        "reached_wall_ns": 1,
    }
    history = {"type": "GpuHistory", "peaks": {f"{T4_UUID}/{uid}/train": peak}}
    (tmp_path / "state").mkdir()
    (tmp_path / "state/gpu-peaks.json").write_text(
        json.dumps({"type": "StoreFile", "format": 1, "durable": history})
    )
    script.write(*t4(6000))
    found = Watched(tmp_path, script.environment(library))
    found.until(UP, 1)
    if Path("/var/log/pods").is_dir():
        pytest.skip("this machine has pods: those of the test are gone here")
    (gpu,) = found.gpu()["gpus"]
    found.daemon.end(signal.SIGTERM)

    assert [("trainer-0", 9000 * MIB, 0)] == [
        (h["pod"], h["peak_bytes"], h["processes"]) for h in gpu["holders"]
    ]


def test_peaks_that_are_spoiled_are_set_aside_and_told(
    tmp_path: Path, library: Path, script: Script
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/gpu-peaks.json").write_text("{")
    script.write(*t4(6000))
    found = Watched(tmp_path, script.environment(library))
    found.daemon.wait_for_line("the saved state cannot be used (it is damaged")
    found.daemon.end(signal.SIGTERM)

    assert (tmp_path / "state/gpu-peaks.json.set-aside").exists()


def test_without_a_daemon_it_samples_once_and_knows_no_peaks(
    tmp_path: Path, library: Path, script: Script
) -> None:
    script.write(*t4(6000, [f"process 0 C {US} 5900"]))
    environment = {**script.environment(library), "RUNTIME_DIRECTORY": str(tmp_path)}

    answer = command(environment, "gpu")

    assert (0, "") == (answer.returncode, answer.stderr)
    assert "5,900" in answer.stdout
    assert "the daemon saw; it does not run, so there are none" in answer.stdout
    assert "PEAK" not in answer.stdout


def test_where_there_is_no_driver_it_says_so_and_costs_nothing(
    start: Callable[[], Process],
) -> None:
    daemon = start()
    status = json.loads(daemon.command("status", "--json").stdout)
    text = daemon.get("/metrics")
    if status["gpu"]["condition"] != "absent":
        pytest.skip("this machine has a driver")

    assert "nodemend_gpu_up{" not in text
    assert 'nodemend_monitor_up{monitor="gpu"}' not in text
    assert (1, True) == (
        (answer := daemon.command("gpu")).returncode,
        "no libnvidia-ml.so.1 is found here" in answer.stdout,
    )
    assert 1 == daemon.command("gpu", "release").returncode
    tasks = Path(f"/proc/{daemon.process.pid}/task").glob("*/children")
    assert "" == "".join(task.read_text() for task in tasks).strip()
