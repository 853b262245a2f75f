"""The other driver: cdc_ncm, which logs nothing of its link; the counters tell all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.service import Daemon
from tests.e2e.test_flap import FLAPS, LOSSES, sample, wait_for
from tests.lab.gadget import Gadget
from tests.lab.machine import VirtualMachine


@pytest.fixture
def gadget(machine: VirtualMachine) -> Iterator[Gadget]:
    machine.run("systemctl stop rtl8156")
    # The kernel takes a moment to let it go, and two of one MAC cannot have one name.
    machine.wait_until("! test -e /sys/class/net/enx6c1ff71be8c8")
    machine.run("udevadm settle")
    gadget = Gadget(machine)
    gadget.plug()
    try:
        # Set up by hand: whether networkd does it in time is not what this is about.
        up = "ip link set enx6c1ff71be8c8 up"
        machine.wait_until(f"{up} && grep -qx 1 /sys/class/net/enx6c1ff71be8c8/carrier")
        yield gadget
    finally:
        gadget.unplug()  # left plugged in it would hold the name that the next adapter needs


def test_a_flap_and_an_unplug(machine: VirtualMachine, gadget: Gadget) -> None:
    daemon = Daemon(machine, "usb_nic:\n  match: [{driver: cdc_ncm, name: uplink}]\n")
    wait_for(machine, LOSSES, 0)
    gadget.link_down()
    wait_for(machine, LOSSES, 1)
    gadget.link_up()
    wait_for(machine, FLAPS, 1)
    gadget.unplug()
    text = wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 0)
    gadget.plug()
    wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 1)
    daemon.stop()

    assert 1 == sample(text, 'nodemend_nic_disconnects_total{nic="uplink"}')
    (found,) = [e for e in daemon.events("nic_found") if e["NODEMEND_NIC"] == "uplink"]
    assert "cdc_ncm" == found["NODEMEND_DRIVER"]
