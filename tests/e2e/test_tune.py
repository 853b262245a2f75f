"""The one step there is, on a real USB device: taken when allowed, told when not."""

from __future__ import annotations

import pytest

from tests.e2e.service import Daemon
from tests.e2e.test_flap import wait_for
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

MATCH = "usb_nic:\n  match: [{driver: r8152, name: uplink}]\n"
ATTEMPTS = 'nodemend_remediation_attempts_total{nic="uplink",step="tune"}'


def control(machine: VirtualMachine) -> str:
    device = machine.run("realpath /sys/class/net/enx6c1ff71be8c8/device/..").stdout.strip()
    return f"{device}/power/control"


def test_autosuspend_is_switched_off_and_verified(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    path = control(machine)
    machine.run(f"echo auto > {path}")
    daemon = Daemon(machine, f"mode: remediate\n{MATCH}")
    wait_for(machine, ATTEMPTS, 1)
    machine.wait_until(f"grep -qx on {path}")
    machine.wait_until(
        f"journalctl -t nodemend --since=@{daemon.since} | grep 'tune .* is verified'"
    )
    daemon.stop()

    steps = [e["NODEMEND_EVENT"] for e in daemon.events() if "NODEMEND_STEP" in e]
    assert ["step_began", "step_verified"] == steps


@pytest.mark.full
def test_in_observe_mode_it_is_only_told(machine: VirtualMachine, adapter: Rtl8156) -> None:
    path = control(machine)
    machine.run(f"echo auto > {path}")
    daemon = Daemon(machine, f"mode: observe\n{MATCH}")
    machine.wait_until(f"journalctl -t nodemend --since=@{daemon.since} | grep 'would have taken'")
    daemon.stop()

    assert "auto" == machine.read(path).strip()


@pytest.mark.full
def test_an_adapter_that_is_not_matched_is_left_alone(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    path = control(machine)
    machine.run(f"echo auto > {path}")
    daemon = Daemon(machine, 'mode: remediate\nusb_nic:\n  match: [{vendor_id: "ffff"}]\n')
    machine.wait_until(f"journalctl -t nodemend --since=@{daemon.since} | grep 'watches'")
    daemon.stop()

    assert "auto" == machine.read(path).strip()
    assert not [e for e in daemon.events() if "NODEMEND_STEP" in e]
