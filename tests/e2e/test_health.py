"""Every state of a NIC, by a real fault on the kernel's own driver: metric, journal, evidence."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.test_flap import sample
from tests.e2e.uplink import DEVICE, FILL_THE_QUEUE, GATEWAY, REACHABLE, SYSFS, Uplink
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

GAVE_UP = 'nodemend_nic_kernel_messages_total{class="gave_up",nic="uplink"}'


def test_link_down(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.link_down()
    uplink.wait_for_state("down")
    told = uplink.wait_until_told("nic_down", "it is set up and has no carrier")
    adapter.link_up()
    uplink.wait_for_state("healthy")
    uplink.wait_until_told("nic_healthy", "was down")

    assert ("uplink", "healthy") == (told["NODEMEND_NIC"], told["NODEMEND_BEFORE"])
    assert "it is set up and has no carrier" == told["NODEMEND_EVIDENCE"]


def test_unplug(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.unplug()
    uplink.wait_for_state("gone")
    uplink.wait_until_told("nic_gone", "there is no network interface at platform-vhci_hcd.0-usb")
    uplink.machine.wait_until("nodemend status | grep 'the kernel said last: .*USB disconnect'")
    assert not uplink.daemon.events("nic_disabled"), "going away is not being set down"

    adapter.plug()
    uplink.wait_for_state("healthy")


@pytest.mark.full
def test_set_down(uplink: Uplink) -> None:
    uplink.machine.run(f"ip link set {DEVICE} down")
    uplink.wait_for_state("disabled")
    uplink.wait_until_told("nic_disabled", "administratively down")
    uplink.machine.run(f"ip link set {DEVICE} up")
    uplink.wait_for_state("healthy")

    assert [] == uplink.complaints()


def test_a_failing_control_endpoint(uplink: Uplink, adapter: Rtl8156) -> None:
    """The carrier stays, the speed lies, and the driver gives up."""
    before = sample(uplink.machine.get("/metrics"), GAVE_UP) or 0
    adapter.fault("ctl_fail")
    said = uplink.machine.run(f"cat {SYSFS}/speed || true").stdout.strip()
    uplink.wait_for_state("wedged")
    uplink.wait_until_told("nic_wedged", "Tried to reset 3 times; giving up")
    text = uplink.wait_for_sample(REACHABLE, 0)

    assert "2500" != said
    assert 'nodemend_nic_carrier{nic="uplink"} 1.0' in text
    assert before + 1 == sample(text, GAVE_UP)


def test_a_hanging_control_endpoint(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("ctl_hang")
    adapter.fault("link_down")  # the driver goes and reads the link, and hangs
    uplink.wait_for_state("degraded", "wedged")
    uplink.wait_until_told("nic_degraded", "its registers cannot be read")
    uplink.wait_for_state("wedged")
    uplink.wait_until_told("nic_wedged", "its registers cannot be read")


def test_a_dead_interrupt_endpoint(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("intr_dead")
    uplink.wait_for_state("degraded")
    uplink.wait_until_told("nic_degraded", "hears no more of link changes")
    uplink.machine.run(f"ip link set {DEVICE} down && ip link set {DEVICE} up")
    uplink.wait_for_state("healthy")


def test_a_transmit_stall(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("tx_stall")
    uplink.machine.run(FILL_THE_QUEUE)
    uplink.wait_for_state("wedged")
    uplink.wait_until_told("nic_wedged", "the kernel's transmit watchdog fired")
    adapter.fault("tx_ok")
    uplink.wait_for_state("healthy", "degraded")


@pytest.mark.full
def test_a_slower_link(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.link_down()
    adapter.fault("speed", "1000")
    adapter.link_up()
    uplink.wait_for_state("degraded")
    uplink.wait_until_told("nic_degraded", "the link runs at 1000 Mb/s, expected are 2500")
    uplink.wait_for_sample('nodemend_nic_speed_bytes{nic="uplink"}', 125_000_000)


@pytest.mark.full
def test_a_fall_to_usb_2(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.plug("hs")
    uplink.wait_for_state("degraded")
    uplink.wait_until_told("nic_degraded", "it fell back to USB 2: 480 Mb/s on the bus")
    connector = uplink.status()["connector"]
    adapter.plug("ss")
    uplink.wait_for_state("healthy")

    assert connector == uplink.status()["connector"]


@pytest.mark.full
def test_the_generic_driver(uplink: Uplink) -> None:
    usb = uplink.machine.run(f"realpath {SYSFS}/device/..").stdout.strip()
    uplink.machine.run(f"echo 2 > {usb}/bConfigurationValue")
    uplink.wait_until_told("nic_degraded", "driver cdc_ncm is bound where r8152 belongs")
    uplink.machine.run(f"echo 1 > {usb}/bConfigurationValue")
    uplink.wait_for_state("healthy")


@pytest.mark.full
def test_a_made_up_mac(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.plug("no_mac")
    uplink.wait_until_told("nic_degraded", "is made up: the adapter could not read its own")

    assert "eth0" == uplink.status()["device"], "it lost its name, and is known all the same"


@pytest.mark.full
def test_errors_on_the_wire(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("tx_eproto")
    uplink.machine.run(f"ping -f -I {DEVICE} -c 300 -w 15 {GATEWAY} || true")
    uplink.wait_until_told("nic_degraded", "transmit and 0 receive errors beside")


@pytest.mark.full
def test_flapping(uplink: Uplink, adapter: Rtl8156) -> None:
    for _ in range(3):
        adapter.link_down()
        adapter.link_up()
    uplink.wait_for_state("flapping")
    uplink.wait_until_told("nic_flapping", "3 flaps within 300 s")


def test_silence_is_unreachable_first_and_wedged_after_a_minute(
    uplink: Uplink, adapter: Rtl8156
) -> None:
    adapter.fault("data_lost")
    uplink.wait_for_sample(REACHABLE, 0)
    told = uplink.wait_until_told("nic_unreachable", "not one packet arrived meanwhile")
    assert "healthy" == uplink.state(), "silence alone is no fault of the NIC's"
    uplink.wait_for_state("wedged", seconds=120)
    uplink.wait_until_told("nic_wedged", f"{GATEWAY} used to answer on this NIC")
    adapter.fault("data_ok")
    uplink.wait_until_told("nic_reachable", GATEWAY)
    uplink.wait_for_state("healthy")

    assert GATEWAY == told["NODEMEND_TARGET"]


@pytest.mark.parametrize("machine", ["bookworm"], indirect=True)
def test_rtnl_stays_free_while_the_control_endpoint_hangs(
    machine: VirtualMachine, uplink: Uplink, adapter: Rtl8156
) -> None:
    """`ip link show lo` beside the daemon is as fast as without it: over a listing, a restart."""
    uplink.wait_for_sample('nodemend_nic_speed_bytes{nic="uplink"}', 312_500_000)
    machine.wait_until(f"grep -q {SPEED_IS_SAVED} /var/lib/nodemend/state.json")
    adapter.fault("ctl_hang")
    beside = slowest_look(machine, seconds=32)
    machine.run("systemctl restart nodemend")  # no new carrier: the speed is not asked for again
    after_restart = slowest_look(machine, seconds=6)
    uplink.daemon.stop()
    without = slowest_look(machine, seconds=3)

    # A read of the speed would hold the lock for five seconds and more (USB_CTRL_GET_TIMEOUT).
    assert max(beside, after_restart) < without + 2


def slowest_look(machine: VirtualMachine, seconds: int) -> float:
    """The longest that `ip link show lo` took, asked again and again for so long."""
    return float(machine.run(f"python3 -c {LOOK} {seconds}", timeout_seconds=120).stdout)


SPEED_IS_SAVED = shlex.quote('"speed_bits":2500000000')
LOOK = shlex.quote(
    "import subprocess, sys, time\n"
    "worst, end = 0, time.monotonic() + float(sys.argv[1])\n"
    "while time.monotonic() < end:\n"
    "    begin = time.monotonic()\n"
    "    subprocess.run(['ip', 'link', 'show', 'lo'], stdout=-3, check=True)\n"
    "    worst = max(worst, time.monotonic() - begin)\n"
    "    time.sleep(0.3)\n"
    "print(worst)"
)
