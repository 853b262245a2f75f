"""kill -9 at every step of the ladder, at three moments of each: nothing is lost or left off."""

from __future__ import annotations

import json

import pytest

from tests.e2e import cut_off
from tests.e2e.breakages import NETWORK
from tests.e2e.cut_off import BUDGET_STEPS, MOMENTS, NOTHING_IS_OFF, STEPS, Moment
from tests.e2e.test_flap import sample
from tests.e2e.uplink import cared_for
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

pytestmark = pytest.mark.parametrize("machine", ["bookworm"], indirect=True)

REMAINING = 'nodemend_remediation_budget_remaining{nic="uplink"}'
CASES = [
    pytest.param(
        step,
        moment,
        id=f"{step}, {moment}",
        marks=[] if (step, moment) == ("port_power", "half done") else [pytest.mark.full],
    )
    for step in STEPS
    for moment in MOMENTS
]


@pytest.mark.parametrize(("step", "moment"), CASES)
def test_killed(machine: VirtualMachine, adapter: Rtl8156, step: str, moment: Moment) -> None:
    network = machine.read(NETWORK)
    try:
        with cared_for(machine, cut_off.config_of(step)) as uplink:
            cut_off.flap(uplink, adapter)
            cut_off.stop_at(uplink, adapter, step, moment)
            machine.run(cut_off.KILL)
            machine.wait_until("systemctl show -p NRestarts nodemend | grep -qx NRestarts=1")
            # ExecStopPost may have ended the step on disk before there is a daemon to be asked.
            machine.wait_until("systemctl is-active -q nodemend")
            nic = cut_off.wait_until_over(uplink)
            machine.wait_until(NOTHING_IS_OFF)

            begun = uplink.steps()
            assert {step} == set(begun)
            assert len(begun) <= BUDGET_STEPS
            assert len(begun) == nic["attempts_total"][step]
            assert BUDGET_STEPS - len(begun) == sample(machine.get("/metrics"), REMAINING)
            assert 1 == nic["flaps_total"], "its own doing is no flap"
            (incident,) = json.loads(machine.run("nodemend incidents list --json").stdout)
            assert begun == [taken["step"] for taken in incident["steps"]]
    finally:
        machine.write(NETWORK, network)
        machine.run("networkctl reload")
