"""The sampler hangs or crashes while the NIC is repaired: nobody else notices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import nvml_double
from tests.e2e.breakages import wedge
from tests.e2e.uplink import REMEDIATE, Uplink, cared_for
from tests.lab.machine import VirtualMachine
from tests.lab.node import Looks
from tests.lab.rtl8156.client import Rtl8156

LIBRARIES = "/usr/local/nvidia/lib64"
SCRIPT = "/run/nvml-script"
UNIT = "/run/systemd/system/nodemend.service.d/gpu.conf"
UP = f'nodemend_gpu_up{{gpu_uuid="{nvml_double.T4_UUID}"}}'
OF_A_GPU = re.compile(r"^nodemend_gpu_(info|memory|process|pod|host)", re.MULTILINE)
ANSWERS_WITHIN_SECONDS = 5.0  # a machine in software emulation that resets a device meanwhile
REPAIRED_WITHIN_SECONDS = 120.0
FAILS = "nvmlDeviceGetMemoryInfo_v2"


@pytest.fixture
def beside_a_gpu(machine: VirtualMachine, adapter: Rtl8156, tmp_path: Path) -> Iterator[Uplink]:
    """The uplink in the care of a daemon that samples a Tesla T4, too."""
    library = nvml_double.build(tmp_path) / nvml_double.LIBRARY
    machine.run(f"mkdir -p {LIBRARIES}")
    machine.put(library, f"{LIBRARIES}/{nvml_double.LIBRARY}")
    play(machine)
    machine.write(UNIT, f"[Service]\nEnvironment=NVML_DOUBLE={SCRIPT}\n")
    machine.run("systemctl daemon-reload")
    try:
        with cared_for(machine, REMEDIATE) as uplink:
            uplink.wait_for_sample(UP, 1)
            yield uplink
    finally:
        machine.run(f"rm -rf {LIBRARIES} {SCRIPT} {UNIT}; systemctl daemon-reload")


def play(machine: VirtualMachine, *more: str) -> None:
    """What the library does from now on; replaced whole, as it is read at any moment."""
    machine.write(f"{SCRIPT}.new", "\n".join([*nvml_double.t4(6000), *more]) + "\n")
    machine.run(f"mv {SCRIPT}.new {SCRIPT}")


@pytest.mark.full
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("hang", "no sample within 6 s"),
        ("crash", "killed by SIGSEGV"),
    ],
)
def test_a_sampler_that_fails_while_the_nic_is_repaired(
    beside_a_gpu: Uplink, adapter: Rtl8156, how: str, reason: str
) -> None:
    uplink = beside_a_gpu
    play(uplink.machine, f"{how} {FAILS}")
    wedge(uplink, adapter)
    looks = Looks(REPAIRED_WITHIN_SECONDS)
    while not uplink.daemon.events("nic_recovered"):
        uplink.machine.get("/metrics", ANSWERS_WITHIN_SECONDS)
        assert looks.rest(), uplink.machine.journal_text()

    assert ["usb_reset"] == uplink.steps()
    uplink.wait_for_state("healthy")
    text = uplink.wait_for_sample(UP, 0)
    assert not OF_A_GPU.search(text)
    uplink.wait_until_told("gpu_sampler_restarted", reason)

    play(uplink.machine)
    uplink.wait_for_sample(UP, 1)
