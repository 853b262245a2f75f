"""The power is cut in the middle of a step: after the boot nothing is forgotten or done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e import cut_off
from tests.e2e.breakages import NETWORK
from tests.e2e.cut_off import BUDGET_STEPS, MOMENTS, NOTHING_IS_OFF, STEPS, Moment
from tests.e2e.test_flap import FLAPS
from tests.e2e.test_remediation_killed import REMAINING
from tests.e2e.uplink import cared_for
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

pytestmark = [
    pytest.mark.full,
    pytest.mark.parametrize("machine", ["bookworm"], indirect=True),
]

WANTS = "/etc/systemd/system/multi-user.target.wants"
UNITS = ("rtl8156.service", "nodemend.service")
# A device forgets over a power cut what was off: the moments differ in what is on the disk alone.
ALL_MOMENTS_OF = ("usb_reset", "port_power")
CASES = [
    pytest.param(step, moment, id=f"{step}, {moment}")
    for step in STEPS
    for moment in MOMENTS
    if moment == "half done" or step in ALL_MOMENTS_OF
]


@pytest.fixture
def starts_at_boot(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[None]:
    """The adapter is plugged in when the machine starts, and the product runs."""
    # Not before the adapter is found to work, which has a machine that hangs boot anew.
    machine.run(f"systemctl add-wants multi-user.target {' '.join(UNITS)}")
    yield
    machine.run(f"cd {WANTS} && rm -f {' '.join(UNITS)}")


@pytest.mark.parametrize(("step", "moment"), CASES)
def test_power_cut(
    machine: VirtualMachine, starts_at_boot: None, adapter: Rtl8156, step: str, moment: Moment
) -> None:
    network = machine.read(NETWORK)
    try:
        with cared_for(machine, cut_off.config_of(step)) as uplink:
            cut_off.flap(uplink, adapter)
            machine.run("sync")  # of all but the daemon's own record, which is not made yet
            cut_off.stop_at(uplink, adapter, step, moment)
            machine.cut_power()
            uplink.wait_for_state("healthy", seconds=300)
            uplink.wait_until_reached()
            nic = cut_off.wait_until_over(uplink)
            machine.wait_until(NOTHING_IS_OFF)

            assert 1 == nic["attempts_total"][step]
            uplink.wait_for_sample(FLAPS, 1)
            uplink.wait_for_sample(REMAINING, BUDGET_STEPS - 1)
            since_boot = machine.journal("-b -t nodemend")
            begun = [e for e in since_boot if e.get("NODEMEND_EVENT") == "step_began"]
            assert step not in [entry["NODEMEND_STEP"] for entry in begun]
            (incident,) = json.loads(machine.run("nodemend incidents list --json").stdout)
            assert [step] == [taken["step"] for taken in incident["steps"]]
    finally:
        machine.write(NETWORK, network)
        machine.run("networkctl reload")
