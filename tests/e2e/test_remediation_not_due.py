"""Mode remediate, and no step: what looks like a fault and is none, and what nobody can know.

What only the processor, the network or the clock does to it is in test_quiet.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.breakages import wedge
from tests.e2e.test_kernel_log import FLOOD
from tests.e2e.test_quiet import IGNORE_ARP
from tests.e2e.uplink import DEVICE, GATEWAY, REACHABLE, REMEDIATE, Uplink
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

pytestmark = [
    pytest.mark.full,
    pytest.mark.parametrize("machine", ["bookworm"], indirect=True),
]

# Longer than hard evidence must last, than an answer may take, and than the wait after "nobody
# knows" (agent/decide/faults.py, climb.py), all together.
OBSERVED_SECONDS = 45
# What a program writes is in the ring as the kernel's own lines are.
POSED = FLOOD.replace(
    "r8152-cfgselector 4-1: USB disconnect, device number %d",
    f"r8152 4-1:1.0 {DEVICE}: Tried to reset 3 times; giving up %d",
)
DROP_IN = "/run/systemd/system/nodemend.service.d/no-raw-sockets.conf"


def nothing_is_done(uplink: Uplink, seconds: float = OBSERVED_SECONDS) -> None:
    """For so long: it is the time in which a step would have been due."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert [] == uplink.steps()
        time.sleep(1)
    assert [] == uplink.daemon.events("step_withheld")
    assert [] == uplink.daemon.events("step_blocked")


def test_a_gateway_that_restarts(machine: VirtualMachine, repaired: Uplink) -> None:
    """It used to answer, and is silent for longer than silence takes to be called a wedge."""
    machine.run(IGNORE_ARP.format(8))
    try:
        repaired.wait_for_sample(REACHABLE, 0)
        repaired.wait_for_state("wedged", seconds=120)
        nothing_is_done(repaired)
    finally:
        machine.run(IGNORE_ARP.format(0))
    repaired.wait_for_sample(REACHABLE, 1)
    repaired.wait_for_state("healthy")
    assert [] == repaired.steps()


def test_a_switch_that_restarts(repaired: Uplink, adapter: Rtl8156) -> None:
    adapter.link_down()
    repaired.wait_for_state("down")
    nothing_is_done(repaired)
    adapter.link_up()
    repaired.wait_for_state("healthy")
    repaired.wait_for_sample(REACHABLE, 1)
    assert [] == repaired.steps()


def test_set_down_by_somebody(repaired: Uplink) -> None:
    repaired.machine.run(f"ip link set {DEVICE} down")
    repaired.wait_for_state("disabled")
    nothing_is_done(repaired)


def test_a_dead_interrupt_endpoint_while_the_gateway_answers(
    repaired: Uplink, adapter: Rtl8156
) -> None:
    """The link works; to set it down for the driver's hearing would be the only outage."""
    adapter.fault("intr_dead")
    repaired.wait_until_told("nic_degraded", "hears no more of link changes")
    nothing_is_done(repaired)


def test_a_noisy_log(repaired: Uplink, adapter: Rtl8156) -> None:
    """Lines that pose as the kernel's, and real ones about transmits that failed."""
    machine = repaired.machine
    machine.run("sysctl -q -w kernel.printk_devkmsg=on")
    machine.run(f"python3 -c {POSED} 2000 5")
    assert "giving up 1999" in machine.run("dmesg | tail -n 50").stdout
    adapter.fault("tx_eproto")
    machine.run(f"ping -f -I {DEVICE} -c 300 -w 15 {GATEWAY} || true")
    adapter.fault("tx_ok")
    repaired.wait_until_told("nic_degraded", "transmit and 0 receive errors beside")
    nothing_is_done(repaired)
    repaired.wait_for_sample(REACHABLE, 1)


@pytest.fixture
def without_raw_sockets(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[Uplink]:
    """A daemon that cannot ask the gateway."""
    machine.write(DROP_IN, "[Service]\nCapabilityBoundingSet=~CAP_NET_RAW\n")
    machine.run("systemctl daemon-reload")
    uplink = Uplink(machine, REMEDIATE)
    try:
        yield uplink
    finally:
        uplink.close()
        machine.run(f"rm {DROP_IN}; systemctl daemon-reload")


def test_nobody_can_be_asked(without_raw_sockets: Uplink, adapter: Rtl8156) -> None:
    """Where it can ask, the same earns a step: breakages.py, while the switch restarts."""
    uplink = without_raw_sockets
    uplink.wait_for_state("healthy")
    adapter.fault("intr_dead")
    adapter.link_down()
    uplink.wait_until_told("nic_degraded", "hears no more of link changes")
    nothing_is_done(uplink)


def test_in_mode_observe_a_step_is_only_told(uplink: Uplink, adapter: Rtl8156) -> None:
    wedge(uplink, adapter)
    told = uplink.wait_until_told("step_withheld", "would have taken step usb_reset")
    assert "resets the USB device" in told["MESSAGE"]
    listed = uplink.machine.run("nodemend incidents list").stdout
    assert "usb_reset withheld" in listed
    assert [] == uplink.daemon.events("step_began")
    assert uplink.machine.run(f"ping -c 1 -W 2 -I {DEVICE} {GATEWAY}", check=False).returncode


def test_paused_it_changes_nothing_and_resumed_it_does(repaired: Uplink, adapter: Rtl8156) -> None:
    repaired.machine.run("nodemend pause --for 1h --reason 'a test'")
    assert "only observes: paused: a test" in repaired.machine.run("nodemend status").stdout
    wedge(repaired, adapter)
    repaired.wait_until_told("step_withheld", "usb_reset")
    repaired.machine.run("systemctl restart nodemend")
    repaired.wait_for_state("wedged")
    assert [] == repaired.steps()
    repaired.machine.run("nodemend resume")
    repaired.wait_until_told("nic_recovered", "by step usb_reset")
