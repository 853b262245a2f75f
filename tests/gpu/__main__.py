"""`python3 -m tests.gpu [OUT]`: on a machine with an NVIDIA GPU, is what the daemon says true?

CUDA processes take 1, 2 and 5 GiB; what the sampler and the daemon say of them is compared with
nvidia-smi at the same moment; then they end, run out of memory, fault. No setting of the GPU is
changed. What was seen is written to OUT: samples that become fixtures, and what each cost.

Where nothing can be installed, what the daemon needs may lie in a folder (`make gpu-kit`):
PYTHONPATH=.gpu-kit python3 -m tests.gpu OUT
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent.model.gpu import GpuReport
from agent.observe.gpu_line import from_line
from tests.unit.process import Process

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
HOLD_MIB = (1024, 2048, 5120)
# cuMemAlloc takes pages of 2 MiB; two processes' contexts differ by no more than a few of them.
TOLERANCE_MIB = 16
DEADLINE_SECONDS = 60.0
UP = "nodemend_gpu_up{"


class Holder:
    """A CUDA process, see cuda.py."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.gpu.cuda"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self.first = self._answer()

    def order(self, words: str) -> str:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


class Check:
    """What the steps share, and what came of them."""

    def __init__(self, out: Path) -> None:
        self.out, self.results, self.captures = out, [], []  # type: ignore[var-annotated]
        self.figures: dict[str, Any] = {}
        self.holders: list[Holder] = []

    def step(self, name: str, do: Callable[[], str]) -> None:
        """One that fails does not keep the others from being seen."""
        began = time.monotonic()
        try:
            outcome, words = "passed", do()
        except AssertionError as error:
            outcome, words = "FAILED", str(error) or traceback.format_exc(limit=3)
        except Exception:  # noqa: BLE001  whatever it is, it is said
            outcome, words = "FAILED", traceback.format_exc(limit=5)
        took = time.monotonic() - began
        self.results.append({"step": name, "outcome": outcome, "words": words, "seconds": took})
        print(f"{outcome:7} {name} ({took:.1f} s): {words}", flush=True)

    def capture(self, moment: str, line: bytes, apps: dict[int, int | None]) -> None:
        self.captures.append({"moment": moment, "line": json.loads(line), "nvidia_smi": apps})

    def write(self) -> bool:
        failed = [each for each in self.results if each["outcome"] == "FAILED"]
        found = {"results": self.results, "figures": self.figures}
        (self.out / "results.json").write_text(json.dumps(found, indent=1) + "\n")
        (self.out / "captures.json").write_text(json.dumps(self.captures, indent=1) + "\n")
        return not failed


def smi(*options: str) -> str:
    command = ["nvidia-smi", *options]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return found.stdout.strip() or found.stderr.strip()


def compute_apps() -> dict[int, int | None]:
    """MiB by pid, as nvidia-smi has it."""
    found: dict[int, int | None] = {}
    for line in smi(
        "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"
    ).splitlines():
        pid, _, used = (word.strip() for word in line.partition(","))
        if pid.isdecimal():
            found[int(pid)] = int(used) if used.isdecimal() else None
    return found


def sample() -> bytes:
    """One sample by the worker itself."""
    command = [sys.executable, "-m", "agent.observe.gpu_worker", "--once"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert found.stdout, f"the worker says nothing: {found.stderr.decode()}"
    return found.stdout.splitlines()[0]


def used_mib(line: bytes) -> dict[int, float | None]:
    report = from_line(line)
    assert isinstance(report, GpuReport), f"no sample: {report}"
    assert not report.dropped, f"dropped: {report.dropped}"
    processes = [p for reading in report.readings for p in reading.processes]
    return {p.pid: None if p.used_bytes is None else p.used_bytes / MIB for p in processes}


def until(condition: Callable[[], bool], words: str, seconds: float = DEADLINE_SECONDS) -> float:
    """How long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, words
        time.sleep(0.05)
    return time.monotonic() - began


# --- the steps --------------------------------------------------------------------------------


def machine(check: Check) -> str:
    smi_xml = smi("-q", "-x")
    (check.out / "nvidia-smi-idle.xml").write_text(smi_xml + "\n")
    check.figures["python"] = platform.python_version()
    check.figures["kernel"] = platform.release()
    (check.out / "self-cgroup.txt").write_text(Path("/proc/self/cgroup").read_text())
    line = sample()
    check.capture("idle", line, compute_apps())
    gpu = json.loads(line)["gpus"][0]
    about = smi("--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    check.figures["gpu"] = about
    assert gpu["total"] > 0, "the GPU has no memory"
    return f"{about}; reserved {(gpu['reserved'] or 0) // MIB} MiB, used {gpu['used'] // MIB} MiB"


def allocations(check: Check) -> str:
    """The same as nvidia-smi has, and what was asked for plus what a context costs."""
    for mib in (0, *HOLD_MIB):
        holder = Holder()
        check.holders.append(holder)
        assert holder.first == "ok", f"no CUDA: {holder.first}"
        assert holder.order(f"hold {mib}") == "ok"
    before, line, after = compute_apps(), sample(), compute_apps()
    check.capture("0, 1, 2 and 5 GiB", line, after)
    assert before == after, f"nvidia-smi itself changed its mind: {before} {after}"
    ours = used_mib(line)
    told = {pid: None if mib is None else round(mib) for pid, mib in ours.items()}
    assert told == after, f"ours {told}, nvidia-smi {after}"
    pids = [holder.pid for holder in check.holders]
    assert set(pids) <= told.keys(), f"processes {pids} are not all listed: {told}"
    context = ours[pids[0]]
    assert context is not None, "NVML says N/A"
    over = [(ours[pid] or 0) - mib for pid, mib in zip(pids[1:], HOLD_MIB)]
    check.figures["context_mib"], check.figures["over_mib"] = context, over
    assert all(abs(each - context) <= TOLERANCE_MIB for each in over), f"{over}, context {context}"
    gpu = json.loads(line)["gpus"][0]
    rest = (gpu["used"] - sum(p[3] or 0 for p in gpu["processes"])) / MIB
    check.figures["unattributed_mib"] = rest
    return f"equal to nvidia-smi; a context costs {context:.0f} MiB, unattributed {rest:.0f} MiB"


def cost(check: Check) -> str:
    """CPU and wall time of a sample, in steady state."""
    command = [sys.executable, "-m", "agent.observe.gpu_worker", "--interval-ms", "200"]
    worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    try:
        for _ in range(5):
            assert worker.stdout.readline()
        began, samples = _cpu_seconds(worker.pid), 50
        for _ in range(samples):
            assert worker.stdout.readline()
        cpu = (_cpu_seconds(worker.pid) - began) / samples
        memory = Path(f"/proc/{worker.pid}/smaps_rollup").read_text()
    finally:
        worker.kill()
        worker.communicate()
    pss = next((x.split()[1] for x in memory.splitlines() if x.startswith("Pss:")), "0")
    script = (
        "import time,json\n"
        "from agent.observe import nvml\n"
        "from agent.observe.gpu_worker import Gpus\n"
        "c=time.perf_counter;a=c();nvml.initialise(None);g=Gpus();b=c();t=[]\n"
        "for _ in range(100):\n s=c();g.report(());t.append(c()-s)\n"
        "t.sort();print(json.dumps([b-a,t[50],t[98]]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    opened, median, worst = json.loads(found.stdout)
    check.figures["sample"] = {
        "cpu_ms": cpu * 1e3,
        "wall_ms_median": median * 1e3,
        "wall_ms_p99": worst * 1e3,
        "open_ms": opened * 1e3,
        "worker_pss_kib": int(pss),
    }
    return (
        f"{cpu * 1e3:.2f} ms CPU a sample, {median * 1e3:.2f} ms by the clock (p99 "
        f"{worst * 1e3:.2f}), opened in {opened * 1e3:.0f} ms, worker PSS {int(pss) / 1024:.1f} MiB"
    )


def _cpu_seconds(pid: int) -> float:
    """Of all its threads; the clock of stat, 10 ms, is too coarse."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    try:
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sandboxed(_check: Check) -> str:
    """The unit's MemoryDenyWriteExecute= must not keep NVML from working (PR_SET_MDWE)."""
    script = (
        "import ctypes,os,sys\n"
        "if ctypes.CDLL(None).prctl(65,1,0,0,0): sys.exit(77)\n"
        "ctypes.CDLL(None).prctl(38,1,0,0,0)\n"  # PR_SET_NO_NEW_PRIVS
        "os.execv(sys.executable,[sys.executable,'-m','agent.observe.gpu_worker','--once'])"
    )
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    if found.returncode == 77:
        return "not tried: this kernel has no PR_SET_MDWE (before 6.3)"
    assert b'"gpus"' in found.stdout, (found.stdout + found.stderr).decode()
    return "a sample with neither writable code nor new privileges"


class Watched:
    """The daemon, and what it says."""

    def __init__(self, directory: Path) -> None:
        self.daemon = Process(directory)
        self.daemon.wait_for_line("watches")
        until(lambda: UP in self.metrics() and self.gpu()["gpus"], "the daemon never sampled")

    def metrics(self) -> str:
        return self.daemon.get("/metrics")

    def gpu(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.daemon.command("gpu", "--format", "json").stdout)
        return found

    def pids(self) -> set[int]:
        return {process["pid"] for gpu in self.gpu()["gpus"] for process in gpu["processes"]}

    def workers(self) -> list[int]:
        """Processes that talk to NVML for this daemon, by their parent."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.daemon.process.pid:
                    found.append(int(stat.parent.name))
        return found


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    with tempfile.TemporaryDirectory() as directory:
        it = Watched(Path(directory))
        try:
            yield it
        finally:
            if it.daemon.process.poll() is None:
                it.daemon.end(signal.SIGKILL)


def daemon_agrees(check: Check, it: Watched) -> str:
    held = {holder.pid for holder in check.holders}
    until(lambda: held <= it.pids(), "the daemon does not list the processes")
    gpu = it.gpu()["gpus"][0]
    ours = {p["pid"]: round(p["used_bytes"] / MIB) for p in gpu["processes"]}
    assert ours == compute_apps(), f"ours {ours}, nvidia-smi {compute_apps()}"
    (check.out / "metrics.prom").write_text(it.metrics())
    for form in ("table", "markdown"):
        (check.out / f"gpu.{form}").write_text(it.daemon.command("gpu", "--format", form).stdout)
    whole = sum(h["used_bytes"] for h in gpu["holders"]) + gpu["unattributed_bytes"]
    assert whole == gpu["used_bytes"], f"the parts {whole} are not the whole {gpu['used_bytes']}"
    free = gpu["total_bytes"] - gpu["used_bytes"] - (gpu["reserved_bytes"] or 0)
    assert abs(free - gpu["free_bytes"]) < 2 * MIB, "used, reserved and free are not the total"
    return f"{len(ours)} processes as nvidia-smi has them; the parts are the whole"


def one_ends(check: Check, it: Watched) -> str:
    largest = check.holders.pop()
    series = f'pid="{largest.pid}"'
    assert series in it.metrics()
    largest.end()
    seconds = until(lambda: series not in it.metrics(), "its series stays")
    return f"its series was gone {seconds:.1f} s after its end"


def runs_out(check: Check, it: Watched) -> str:
    """A victim of somebody else's allocation, as on a shared GPU."""
    victim, hog = Holder(), Holder()
    try:
        assert victim.order("hold 1024") == "ok"
        free_mib = it.gpu()["gpus"][0]["free_bytes"] // MIB
        until(lambda: {victim.pid, hog.pid} <= it.pids(), "they are not seen")
        free_mib = it.gpu()["gpus"][0]["free_bytes"] // MIB
        assert hog.order(f"hold {free_mib - 64}") == "ok", "the hog could not take it all"
        it.daemon.wait_for_line("MiB free. Held by:")
        error = victim.order("hold 1024")
        assert "OUT_OF_MEMORY" in error, error
        it.daemon.wait_for_line("likely a victim of the full")
        incident = it.daemon.command("incidents", "list").stdout.split()[0]
        shown = it.daemon.command("incidents", "show", incident).stdout
        (check.out / "incident.txt").write_text(shown)
        assert f"process {victim.pid} " in shown.partition("likely a victim")[2], shown
        xids = [x for x in it.metrics().splitlines() if x.startswith("nodemend_gpu_xid")]
        return f"{error}: told as the likely victim; Xids meanwhile: {xids or 'none'}"
    finally:
        victim.end()
        hog.end()


def faults(_check: Check, it: Watched) -> str:
    """A program's fault, Xid 31 or 13, comes by NVML's events."""
    holder = Holder()
    try:
        error = holder.order("fault")
    finally:
        holder.end()
    until(lambda: "nodemend_gpu_xid_errors_total{" in it.metrics(), f"no Xid after {error}", 15)
    told = [x for x in it.metrics().splitlines() if x.startswith("nodemend_gpu_xid")]
    return f"{error}: {told}"


def releases(_check: Check, it: Watched) -> str:
    assert it.workers(), "there is no sampler"
    answer = it.daemon.command("gpu", "release")
    assert answer.returncode == 0, answer.stderr
    assert not it.workers(), "the sampler lives"
    descriptors = Path(f"/proc/{it.daemon.process.pid}/fd").iterdir()
    held = [str(fd.readlink()) for fd in descriptors if fd.is_symlink()]
    assert not [path for path in held if "nvidia" in path], held
    maps = Path(f"/proc/{it.daemon.process.pid}/maps").read_text()
    assert "libnvidia-ml" not in maps, "the daemon itself has loaded NVML"
    it.daemon.command("gpu", "resume")
    until(lambda: bool(it.gpu()["gpus"]), "it does not sample again")
    return "no process, no descriptor, no library; and it samples again when told"


def dies(_check: Check, it: Watched) -> str:
    """A daemon that is killed leaves nobody behind."""
    (worker,) = it.workers()
    it.daemon.end(signal.SIGKILL)
    seconds = until(lambda: not Path(f"/proc/{worker}").exists(), "the sampler outlives the daemon")
    return f"the sampler ended {seconds:.1f} s after the daemon was killed"


def main(arguments: list[str]) -> int:
    """All steps; 1 where one failed."""
    check = Check(Path(arguments[0] if arguments else tempfile.mkdtemp(prefix="nodemend-gpu-")))
    check.out.mkdir(parents=True, exist_ok=True)
    check.step("the machine", lambda: machine(check))
    check.step("allocations as nvidia-smi has them", lambda: allocations(check))
    check.step("cost of a sample", lambda: cost(check))
    check.step("under the unit's sandbox", lambda: sandboxed(check))
    try:
        with watched() as it:
            check.step("the daemon agrees", lambda: daemon_agrees(check, it))
            check.step("a process ends", lambda: one_ends(check, it))
            check.step("memory runs out", lambda: runs_out(check, it))
            check.step("a program faults", lambda: faults(check, it))
            check.step("the driver is released", lambda: releases(check, it))
            check.step("the daemon is killed", lambda: dies(check, it))
            (check.out / "daemon.txt").write_text(it.daemon.output)
    except Exception:  # noqa: BLE001  what was seen before is written all the same
        words = traceback.format_exc(limit=5)
        check.results.append({"step": "the daemon runs", "outcome": "FAILED", "words": words})
        print(f"FAILED  the daemon runs: {words}", flush=True)
    for holder in check.holders:
        holder.end()
    fine = check.write()
    print(f"{'all is well' if fine else 'SOMETHING FAILED'}; see {check.out}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
