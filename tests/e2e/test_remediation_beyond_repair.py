"""A NIC that no step brings back: one climb, one word to somebody, silence; and it is mended."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.uplink import REMEDIATE, SYSFS, Uplink, cared_for
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

pytestmark = [
    pytest.mark.full,
    pytest.mark.parametrize("machine", ["bookworm"], indirect=True),
]

BUDGET_STEPS = 10
CONFIG = (
    f"{REMEDIATE}  remediation: {{settle: 10s, budget: {{steps: {BUDGET_STEPS}, within: 1h}}}}\n"
)
SILENT_SECONDS = 120  # longer than any step takes to its verdict
CLIMB_SECONDS_MAX = 900
REMAINING = 'nodemend_remediation_budget_remaining{nic="uplink"}'


def test_it_says_so_once_and_notices_when_it_is_mended(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    with cared_for(machine, CONFIG) as uplink:
        adapter.fault("ctl_fail")
        machine.run(f"cat {SYSFS}/speed || true", timeout_seconds=120)
        told = uplink.wait_until_told(
            "nic_beyond_repair", "no step is left", seconds=CLIMB_SECONDS_MAX
        )
        climbed = uplink.steps()

        assert "3" == told["PRIORITY"]
        assert "usb_reset" == climbed[0]
        assert "port_power" == climbed[-1]
        assert len(climbed) == len(set(climbed)) <= BUDGET_STEPS, "one climb"
        left = (
            f'nodemend_remediation_budget_remaining{{nic="uplink"}} {BUDGET_STEPS - len(climbed)}'
        )
        assert left in machine.get("/metrics")
        said = len(alarms(uplink))
        deadline = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < deadline:
            assert climbed == uplink.steps()
            assert said == len(alarms(uplink)), alarms(uplink)
            time.sleep(1)
        assert 1 == len(uplink.daemon.events("nic_beyond_repair"))

        adapter.plug()
        uplink.wait_for_state("healthy", seconds=120)
        assert climbed == uplink.steps(), "somebody else has mended it"
        machine.wait_until(f"nodemend incidents list --json | python3 -c '{IS_CLOSED}'")
        (incident,) = json.loads(machine.run("nodemend incidents list --json").stdout)
        assert climbed == [step["step"] for step in incident["steps"]]


IS_CLOSED = 'import json, sys; sys.exit(not json.load(sys.stdin)[0]["closed_timestamp_seconds"])'


def alarms(uplink: Uplink) -> list[str]:
    """What would wake somebody. A state that gives way to another one is told, and does not."""
    return [e["MESSAGE"] for e in uplink.daemon.events() if int(e["PRIORITY"]) <= 3]
