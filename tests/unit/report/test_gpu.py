"""GPU memory as programs and people get it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model.gpu import GpuMemory, GpuProcess, GpuView, Holder, Holding
from agent.model.snapshot import Snapshot
from agent.model.state import GpuWatch, State
from agent.report import gpu_table
from agent.report.control import ControlServer, Refused, ask
from agent.report.gpu import as_object
from agent.report.metrics import exposition
from tests.unit.report.snapshots import T4, a_busy_snapshot, a_gpu

TABLE = """\
HOLDER                                CONTAINER  NOW MIB  PEAK MIB  OF TOTAL  FAIR SHARES  PROCESSES
ml/trainer-0                          train        9,000    11,000       59%          2.3          1
pod 5f1b4c1e3f1f4f0fa6a0d6f1f8b7c9d2                 240       240        2%          0.1          1
host: gdm.service                                     60                  0%          0.0          1
ml/notebook                           jupyter          -     2,048
(not attributed)                                      20                  0%
(reserved by the driver)                             448                  3%
(free)                                             5,592                 36%
"""
MARKDOWN = """\
| pid | process | holder | container | now MiB | of total |
| ---: | --- | --- | --- | ---: | ---: |
| 4711 | python | ml/trainer-0 | train | 9,000 | 59% |
| 4712 | ptxas | pod 5f1b4c1e3f1f4f0fa6a0d6f1f8b7c9d2 |  | 240 | 2% |
"""


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def shown(snapshot: Snapshot | None = None) -> dict[str, object]:
    found = snapshot or a_busy_snapshot()
    return as_object(found.gpu, found.state.gpu)


def with_gpu(gpu: GpuMemory) -> Snapshot:
    busy = a_busy_snapshot()
    return replace(busy, gpu=replace(busy.gpu, gpus=(gpu,)))


def test_the_table_adds_up() -> None:
    text = gpu_table.in_words(shown(), "pod", markdown=False)

    assert TABLE in text
    assert 15360 == 9000 + 240 + 60 + 20 + 448 + 5592
    assert "Time-sliced into 4 replicas without isolation: a fair share is 3,840 MiB." in text
    assert "Tesla T4 (GPU-2) is LOST" in text
    assert text.endswith("Sampled 2023-11-14 22:14:20 UTC.")


def test_markdown_is_for_a_page() -> None:
    text = gpu_table.in_words(shown(), "process", markdown=True)

    assert text.startswith(f"# GPU memory\n\n## Tesla T4, {T4}, driver 535.247.01\n")
    assert MARKDOWN in text


def test_a_name_cannot_break_the_table() -> None:
    odd = Holding(GpuProcess(1, 1, "a|b", 1), Holder(unit="x"))
    found = shown(with_gpu(replace(a_gpu(), processes=(odd,))))

    assert "| 1 | a\\|b |" in gpu_table.in_words(found, "process", markdown=True)


def test_a_full_gpu_is_said_to_be() -> None:
    found = shown(with_gpu(replace(a_gpu(), free_bytes=1024 * 1024)))

    text = gpu_table.in_words(found, "pod", markdown=False)
    assert "head-room 1 MiB, LESS THAN THE 256 MiB THAT THE NEXT PROCESS NEEDS" in text


def test_what_is_not_known_is_not_made_up() -> None:
    na = Holding(GpuProcess(7, 1, "game", None), Holder(unit="x.service"))
    gpu = replace(
        a_gpu(),
        processes=(na,),
        reserved_bytes=None,
        unattributed_bytes=None,
        replicas=None,
        shares=(replace(a_gpu().shares[2], used_bytes=None),),
    )
    snapshot = with_gpu(gpu)
    text = gpu_table.in_words(shown(snapshot), "pod", markdown=False)
    metrics = exposition(snapshot).decode()

    assert re.search(r"^host: gdm.service +N/A ", text, re.MULTILINE)
    assert re.search(r"^\(not attributed\) +unknown$", text, re.MULTILINE)
    assert "not known (gpu.replicas)" in text
    for absent in ("memory_reserved", "memory_unattributed", "process_memory", "host_memory"):
        assert f"nodemend_gpu_{absent}_bytes{{" not in metrics
    assert f'nodemend_gpu_processes{{gpu_uuid="{T4}"}} 1.0' in metrics


def test_without_a_gpu_the_reason_is_said() -> None:
    found = as_object(GpuView(words="no driver"), GpuWatch())

    assert "GPU memory is not known: no driver" == gpu_table.in_words(found, "pod", markdown=False)


def test_json_is_json() -> None:
    found = json.loads(json.dumps(shown()))

    (gpu,) = found["gpus"]
    assert ("default", True, 3840 * 2**20) == (
        gpu["compute_mode"],
        gpu["persistence"],
        gpu["fair_share_bytes"],
    )
    assert {T4: {"31": 2}} == found["xid_errors_total"]


def test_the_processes_of_a_gpu_sum_up_whatever_the_number_of_series() -> None:
    snapshot = a_busy_snapshot()
    for top in range(5):
        text = exposition(replace(snapshot, gpu=replace(snapshot.gpu, top_processes=top))).decode()
        lines = [x for x in text.splitlines() if x.startswith("nodemend_gpu_process_memory_used")]
        assert 9300 * 2**20 == sum(float(line.split()[-1]) for line in lines)
        assert len(lines) == min(top, 3) + (top < 3)


def test_a_sampler_that_fails_leaves_gpu_up_and_counters() -> None:
    busy = a_busy_snapshot()
    failed = replace(busy.gpu, condition="failed", words="it hangs", gpus=())
    text = exposition(replace(busy, gpu=failed)).decode()

    names = {
        line.partition("{")[0] for line in text.splitlines() if line.startswith("nodemend_gpu")
    }
    assert names == {
        "nodemend_gpu_up",
        "nodemend_gpu_xid_errors_total",
        "nodemend_gpu_sampler_restarts_total",
    }
    assert f'nodemend_gpu_up{{gpu_uuid="{T4}"}} 0.0' in text

    never = exposition(replace(busy, gpu=failed, state=State())).decode()
    assert 'nodemend_gpu_up{gpu_uuid=""} 0.0' in never


class Releasing:
    """In place of the monitor: lets go of the driver, or fails to."""

    def __init__(self, condition: str) -> None:
        self.snapshot = a_busy_snapshot()
        self._condition = condition

    def release_gpu(self, seconds: int) -> None:
        condition = self._condition if seconds else "sampling"
        view = replace(self.snapshot.gpu, condition=condition, words="process 7 hangs")  # type: ignore[arg-type]
        self.snapshot = replace(self.snapshot, gpu=view)

    def forget(self, nic: str) -> None:
        raise NotImplementedError

    def pause(self, seconds: int, reason: str) -> None:
        raise NotImplementedError

    def resume(self) -> None:
        raise NotImplementedError


def test_a_release_is_answered_when_nothing_holds_the_driver(tmp_path: Path) -> None:
    orders = Releasing("released")
    server = ControlServer(tmp_path / "s", lambda: orders.snapshot, orders)
    try:
        assert {"released": 60} == ask(tmp_path / "s", "release_gpu", seconds=60)
        assert {"released": 0} == ask(tmp_path / "s", "release_gpu", seconds=0)
        with pytest.raises(Refused, match="expected 0 to 86400 seconds, found -1"):
            ask(tmp_path / "s", "release_gpu", seconds=-1)
    finally:
        server.close()


def test_a_release_is_refused_while_a_process_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.report.control.OBEY_SECONDS_MAX", 0.2)
    orders = Releasing("failed")
    server = ControlServer(tmp_path / "s", lambda: orders.snapshot, orders)
    try:
        with pytest.raises(Refused, match="process 7 hangs"):
            ask(tmp_path / "s", "release_gpu", seconds=60)
    finally:
        server.close()
