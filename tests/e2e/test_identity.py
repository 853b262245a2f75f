"""A NIC is the same NIC whatever changes about it, and another one is told from it."""

from __future__ import annotations

import pytest

from tests.e2e.test_flap import FLAPS, sample
from tests.e2e.uplink import Uplink
from tests.lab.rtl8156.client import Rtl8156


def flap(uplink: Uplink, adapter: Rtl8156, flaps_total: int) -> None:
    adapter.link_down()
    adapter.link_up()
    uplink.wait_for_sample(FLAPS, flaps_total)


def test_its_history_follows_it_to_another_plug(uplink: Uplink, adapter: Rtl8156) -> None:
    flap(uplink, adapter, 1)
    before = uplink.status()["connector"]
    adapter.plug("port2")
    uplink.wait_for_state("healthy")
    uplink.wait_until_told("nic_moved", f"moved from {before} to")

    after = uplink.status()
    assert before != after["connector"]
    assert (1, 1) == (after["flaps_total"], after["disconnects_total"])


@pytest.mark.full
def test_another_adapter_in_the_same_plug_is_told(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.plug("other")
    told = uplink.wait_until_told("nic_replaced", "MAC 6c:1f:f7:1b:e8:c8 before")

    assert "8c:ae:4c:dd:5d:ef" == told["NODEMEND_MAC"]


@pytest.mark.full
def test_gone_it_stays_known_until_it_is_forgotten(uplink: Uplink, adapter: Rtl8156) -> None:
    machine = uplink.machine
    present = machine.run("nodemend forget uplink", check=False)
    assert 1 == present.returncode
    assert "uplink is present as enx6c1ff71be8c8: only a NIC that is gone" in present.stderr

    adapter.unplug()
    uplink.wait_for_state("gone")
    machine.run("systemctl restart nodemend")
    uplink.wait_for_state("gone")
    uplink.wait_until_told("nic_gone", "was unknown")

    assert "uplink is forgotten, with its counts\n" == machine.run("nodemend forget uplink").stdout
    assert sample(machine.get("/metrics"), 'nodemend_nic_present{nic="uplink"}') is None
    assert "" == machine.run("nodemend status").stdout.partition("uplink")[1]
    again = machine.run("nodemend forget uplink", check=False)
    assert "no NIC is called 'uplink'" in again.stderr


def test_a_nic_that_vanished_over_a_reboot_is_missed(uplink: Uplink, adapter: Rtl8156) -> None:
    """The boot id is what tells a reboot: another one in the saved state, and it is one."""
    machine = uplink.machine
    flap(uplink, adapter, 1)
    machine.run("systemctl stop nodemend")
    adapter.unplug()
    boot_id = machine.read("/proc/sys/kernel/random/boot_id").strip()
    former = "00000000-0000-4000-8000-000000000000"
    machine.run(f"sed -i s/{boot_id}/{former}/ /var/lib/nodemend/state.json")
    machine.run("systemctl start nodemend")
    uplink.wait_for_state("gone")

    found = uplink.status()
    assert (1, 0) == (found["flaps_total"], found["disconnects_total"])
