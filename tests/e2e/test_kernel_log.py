"""The kernel's log on a real kernel: each message once, whatever else is written there."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.test_flap import sample
from tests.e2e.uplink import Uplink
from tests.lab.rtl8156.client import Rtl8156

pytestmark = pytest.mark.parametrize("machine", ["bookworm"], indirect=True)

DISCONNECTS = 'nodemend_nic_kernel_messages_total{class="usb_disconnect",nic="uplink"}'
LOST = 'nodemend_source_dropped_total{source="kernel_log"}'
PRESENT = 'nodemend_nic_present{nic="uplink"}'
# What programs write is no message of the kernel's, but takes its place in the ring. A burst of a
# hundred lines is followed by a rest of so many times as long as it took: a flood by the clock
# would, on a slow host, leave the one processor no time for whoever reads.
FLOOD = shlex.quote(
    "import sys, time\n"
    "log = open('/dev/kmsg', 'w', buffering=1)\n"
    "for line in range(int(sys.argv[1])):\n"
    "    if line % 100 == 0: began = time.monotonic()\n"
    "    log.write('r8152-cfgselector 4-1: USB disconnect, device number %d\\n' % line)\n"
    "    if line % 100 == 99: time.sleep(float(sys.argv[2]) * (time.monotonic() - began))"
)


def replug(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.unplug()
    uplink.wait_for_sample(PRESENT, 0)
    adapter.plug()
    uplink.wait_for_sample(PRESENT, 1)


def counted(uplink: Uplink, series: str) -> float:
    return sample(uplink.machine.get("/metrics"), series) or 0


def test_a_flood_hides_no_message_of_the_kernels(uplink: Uplink, adapter: Rtl8156) -> None:
    machine, before = uplink.machine, counted(uplink, DISCONNECTS)
    machine.run("sysctl -q -w kernel.printk_devkmsg=on")
    # It is stopped once the plugging is done, however long that takes.
    machine.run(f"systemd-run -q --unit flood python3 -c {FLOOD} 1000000 20")
    for _ in range(3):
        replug(uplink, adapter)
    assert "active" == machine.run("systemctl is-active flood", check=False).stdout.strip()
    machine.run("systemctl stop flood", check=False)
    uplink.wait_for_sample(DISCONNECTS, before + 3)

    assert 0 == counted(uplink, LOST)


def test_each_message_counts_once_over_a_restart_and_a_kill(
    uplink: Uplink, adapter: Rtl8156
) -> None:
    machine, before = uplink.machine, counted(uplink, DISCONNECTS)
    replug(uplink, adapter)
    uplink.wait_for_sample(DISCONNECTS, before + 1)
    machine.run("systemctl restart nodemend")
    uplink.wait_for_sample(DISCONNECTS, before + 1)
    machine.run("systemctl kill -s KILL nodemend && systemctl stop nodemend")
    adapter.plug()
    machine.run("systemctl start nodemend")

    uplink.wait_for_sample(DISCONNECTS, before + 2)
    assert 0 == counted(uplink, LOST)


@pytest.mark.full
def test_what_was_overwritten_is_counted_and_told(uplink: Uplink) -> None:
    machine = uplink.machine
    machine.run("sysctl -q -w kernel.printk_devkmsg=on; systemctl kill -s STOP nodemend")
    machine.run(f"python3 -c {FLOOD} 20000 0")
    machine.run("systemctl kill -s CONT nodemend")
    told = uplink.wait_until_told("kernel_log_overrun", "were overwritten before they were read")

    assert counted(uplink, LOST) >= int(told["NODEMEND_LOST"]) > 0
