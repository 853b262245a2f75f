"""What looks like a fault and is none: nothing that would worry anybody is told, no step is taken.

In mode remediate: a step that is not due must not be taken, not only not be told.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.e2e.test_flap import sample
from tests.e2e.uplink import DEVICE, GATEWAY, REACHABLE, REMEDIATE, SYSFS, Uplink
from tests.lab.machine import SSH_PORT, VirtualMachine
from tests.lab.node import Looks
from tests.lab.rtl8156.client import Rtl8156

pytestmark = pytest.mark.parametrize("machine", ["bookworm"], indirect=True)

PROBES = 'nodemend_source_facts_total{source="probe"}'
LISTINGS = "nodemend_monitor_last_success_timestamp_seconds"
IGNORE_ARP = "ip netns exec lan sysctl -q -w net.ipv4.conf.all.arp_ignore={}"
PODS = """
for i in $(seq 20); do
    ip netns add pod$i && ip link add lxc$i type veth peer name tmp1234$i
    ip link set tmp1234$i netns pod$i && ip netns exec pod$i ip link set tmp1234$i name eth0
    ip link set lxc$i up && ip netns exec pod$i ip link set eth0 up
done
for i in $(seq 20); do ip netns del pod$i; done
"""
STARVE = "for i in 1 2 3 4 5 6 7 8; do timeout 12 chrt -r 1 sh -c 'while :; do :; done' & done"


def wait_for_probes(uplink: Uplink, count: int) -> None:
    """So many more probes, answered or not."""
    before = sample(uplink.machine.get("/metrics"), PROBES) or 0
    looks = Looks(120)
    while (sample(uplink.machine.get("/metrics"), PROBES) or 0) < before + count:
        assert looks.rest(), "it does not probe any more"


def test_a_nic_that_boots(machine: VirtualMachine, adapter: Rtl8156) -> None:
    """cdc_ncm first, then r8152; no firmware; another name at first."""
    uplink = Uplink(machine, REMEDIATE)
    uplink.daemon.stop()
    adapter.unplug()
    machine.run("rm -f /var/lib/nodemend/state.json; systemctl start nodemend")
    uplink.wait_for_sample('nodemend_monitor_up{monitor="nic"}', 1)
    since = machine.run("date +%s.%N").stdout.strip()
    adapter.plug()
    uplink.wait_for_state("healthy")
    uplink.wait_until_reached()
    uplink.wait_until_idle()
    uplink.close()

    told = machine.journal(f"-t nodemend --since=@{since} -p warning")
    assert [] == [entry["MESSAGE"] for entry in told]
    assert [] == uplink.steps()


@pytest.mark.full
def test_pods_that_come_and_go(repaired: Uplink) -> None:
    repaired.machine.run(PODS, timeout_seconds=120)
    wait_for_probes(repaired, 5)

    assert "renamed from tmp1234" in repaired.machine.run("journalctl -k -o cat").stdout
    assert [] == repaired.complaints()
    assert "healthy" == repaired.state()
    assert [] == repaired.steps()


@pytest.mark.full
def test_a_healthy_unbind(uplink: Uplink) -> None:
    """The driver prints `Stop submitting intr, status -108` on its way out."""
    machine = uplink.machine
    interface = machine.run(f"basename $(realpath {SYSFS}/device)").stdout.strip()
    driver = "/sys/bus/usb/drivers/r8152"
    stopped = 'nodemend_nic_kernel_messages_total{class="interrupt_stopped",nic="uplink"}'
    before = sample(machine.get("/metrics"), stopped)
    machine.run(f"echo {interface} > {driver}/unbind")
    uplink.wait_for_state("gone")
    machine.run(f"echo {interface} > {driver}/bind")
    uplink.wait_for_state("healthy")

    assert before == sample(machine.get("/metrics"), stopped)
    told = {entry["NODEMEND_EVENT"] for entry in uplink.daemon.events()}
    assert not told & {"nic_degraded", "nic_wedged", "nic_flapping", "carrier_lost"}


def test_a_gateway_that_ignores_arp(machine: VirtualMachine, adapter: Rtl8156) -> None:
    """It never answered: whether it can be reached is not known, and said to be unknown."""
    machine.run(IGNORE_ARP.format(8))
    uplink = Uplink(machine, REMEDIATE)
    try:
        uplink.wait_for_state("healthy")
        wait_for_probes(uplink, 20)
        assert [] == uplink.complaints()
        assert "healthy" == uplink.state()
        assert [] == uplink.steps()
        assert sample(machine.get("/metrics"), REACHABLE) is None
        assert "has not answered yet" in machine.run("nodemend status").stdout
    finally:
        machine.run(IGNORE_ARP.format(0))
        uplink.close()


@pytest.mark.full
def test_a_saturated_link(repaired: Uplink) -> None:
    repaired.machine.run(
        f"timeout 12 ping -f -s 1400 -I {DEVICE} {GATEWAY} > /dev/null; true", timeout_seconds=60
    )

    assert [] == repaired.complaints()
    assert "healthy" == repaired.state()
    assert [] == repaired.steps()


@pytest.mark.full
def test_a_starved_processor(repaired: Uplink) -> None:
    repaired.machine.run(f"{STARVE}; wait", timeout_seconds=240)
    wait_for_probes(repaired, 3)

    assert [] == repaired.complaints()
    assert "healthy" == repaired.state()
    assert [] == repaired.steps()


def test_a_machine_that_was_paused(machine: VirtualMachine, repaired: Uplink) -> None:
    forward = f"hostfwd=tcp:127.0.0.1:{machine.port(SSH_PORT)}-"
    found = subprocess.run(
        ["pgrep", "-f", f"qemu.*{forward}"], stdout=subprocess.PIPE, text=True, check=True
    )
    (emulator,) = [int(line) for line in found.stdout.split()]
    # A control transfer in the middle of which time stands still fails, and the kernel says so.
    machine.wait_until("nodemend status --json | grep -q '\"speed_bits\": [0-9]'")
    os.kill(emulator, signal.SIGSTOP)
    try:
        time.sleep(12)  # the pause is what this is about
    finally:
        os.kill(emulator, signal.SIGCONT)
    wait_for_probes(repaired, 10)

    assert [] == repaired.complaints()
    assert "healthy" == repaired.state()
    assert [] == repaired.steps()
