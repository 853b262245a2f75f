"""What the sampler said beside a real H100, with nvidia-smi's word at the same moment.

Captured by `make gpu` (tests/gpu): processes that hold 0, 1, 2 and 5 GiB besides their context.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.gpu_memory import memory
from agent.model.gpu import GpuHistory, GpuReport, GpuSample, Holder, Holding
from agent.model.identity import Stamp
from agent.model.policy import GpuPolicy
from agent.observe.gpu_line import from_line

MIB = 1024 * 1024
CAPTURES = Path(__file__).parents[1] / "captures"
MOMENTS: list[dict[str, Any]] = [
    moment
    for capture in sorted(CAPTURES.glob("*.json"))
    for moment in json.loads(capture.read_text())
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment["moment"])
def test_each_process_holds_what_nvidia_smi_says_and_the_parts_are_the_whole(
    moment: dict[str, Any],
) -> None:
    report = from_line(json.dumps(moment["line"]).encode())
    assert isinstance(report, GpuReport)
    (reading,) = report.readings
    held = {str(p.pid): (p.used_bytes or 0) // MIB for p in reading.processes}
    assert moment["nvidia_smi"] == held

    holdings = tuple(Holding(process, Holder(unit="none")) for process in reading.processes)
    sample = GpuSample(
        at=Stamp(1, 1),
        driver_version=report.driver_version,
        readings=report.readings,
        holdings={reading.gpu_uuid: holdings},
        ended={},
        pods_here=None,
        replicas={},
    )
    (gpu,) = memory(GpuHistory(), sample, GpuPolicy())
    used = sum(share.used_bytes or 0 for share in gpu.shares) + (gpu.unattributed_bytes or 0)
    assert reading.used_bytes == used
    parts = reading.used_bytes + (reading.reserved_bytes or 0) + gpu.free_bytes
    assert reading.total_bytes == parts
