"""Mode remediate on the kernel's own r8152: what brings the link back, unattended.

Each story of tests/e2e/breakages.py is told twice: that it comes back by these steps and no other,
and, in docs/remediation-seen.md, how long that took.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import pytest

from tests.e2e.breakages import BREAKAGES, NETWORK, Breakage, wedge
from tests.e2e.seen import PAGE, Seen, as_markdown
from tests.e2e.seen_page import collected
from tests.e2e.test_flap import sample
from tests.e2e.uplink import GATEWAY, REACHABLE, REMEDIATE, SYSFS, Uplink, cared_for, told_at
from tests.lab.machine import VirtualMachine
from tests.lab.node import Looks
from tests.lab.rtl8156.client import Rtl8156

FAULTS = (
    "nodemend_nic_carrier_losses_total",
    "nodemend_nic_flaps_total",
    "nodemend_nic_disconnects_total",
)
STORIES = [pytest.param(story, id=story.what.partition(":")[0]) for story in BREAKAGES]

AllSeen: TypeAlias = "dict[tuple[str, str], Seen]"


@pytest.fixture(scope="session")
def seen() -> Iterator[AllSeen]:
    """By story and release; a page once all of them were."""
    yield from collected(PAGE, Seen, as_markdown)


def counts(uplink: Uplink) -> list[float]:
    text = uplink.machine.get("/metrics")
    return [sample(text, f'{name}{{nic="uplink"}}') or 0.0 for name in FAULTS]


@pytest.mark.full
@pytest.mark.parametrize("story", STORIES)
def test_it_is_brought_back(
    machine: VirtualMachine, adapter: Rtl8156, seen: AllSeen, story: Breakage
) -> None:
    config = REMEDIATE + f"  remediation: {{{story.remediation}}}\n" * bool(story.remediation)
    network = machine.read(NETWORK)
    try:
        with cared_for(machine, config) as uplink:
            before, began = uplink.ifindex(), float(machine.run("date +%s.%N").stdout)
            story.break_it(uplink, adapter)
            back = wait_until_back(uplink, story, began)
            uplink.wait_for_state("healthy")
            uplink.wait_for_sample(REACHABLE, 1)
            assert story.is_told_by(uplink.steps()), uplink.steps()
            if story.keeps_ifindex:
                assert before == uplink.ifindex()
            machine.wait_until(f"ping -c 1 -W 2 {GATEWAY}")
            driver = machine.run(f"basename $(realpath {SYSFS}/device/driver)").stdout.strip()
            assert "r8152" == driver
            steps = [e for e in uplink.daemon.events("step_began") if e["NODEMEND_STEP"] != "tune"]
            first = told_at(steps[0]) - began if steps else None
            taken = tuple(uplink.steps())
            seen[story.what, machine.release] = Seen(taken, first, told_at(back) - began)
    finally:
        machine.write(NETWORK, network)
        machine.run("networkctl reload")


def wait_until_back(uplink: Uplink, story: Breakage, began: float) -> dict[str, str]:
    """The event that says so."""
    if story.steps:
        return uplink.wait_until_told("nic_recovered", "by step", seconds=300)
    looks = Looks(120)
    while True:
        for entry in uplink.daemon.events("nic_healthy"):
            if told_at(entry) > began:  # not the one from the start
                return entry
        assert looks.rest(), uplink.machine.journal_text()


def test_a_wedge_is_ended_by_a_reset_that_is_no_fault_and_the_incident_tells_of_it(
    repaired: Uplink, adapter: Rtl8156
) -> None:
    before, counted = repaired.ifindex(), counts(repaired)
    wedge(repaired, adapter)
    told = repaired.wait_until_told("nic_recovered", "by step usb_reset", seconds=120)

    assert "its driver gave up before" in told["MESSAGE"]
    recoveries = 'nodemend_remediation_recoveries_total{nic="uplink",step="usb_reset"}'
    repaired.wait_for_sample(recoveries, 1)
    assert ["usb_reset"] == repaired.steps()
    assert (before, counted) == (repaired.ifindex(), counts(repaired))
    listed = repaired.machine.run("nodemend incidents list").stdout
    assert "a step helped, verified (usb_reset verified)" in listed
    shown = repaired.machine.run(f"nodemend incidents show {listed.split()[0]}").stdout
    assert "its driver gave up" in shown
