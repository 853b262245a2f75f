"""The adapter as the node's uplink: named, judged, and with a gateway behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.service import Daemon
from tests.e2e.test_flap import DEADLINE_SECONDS, sample, status_of_the_nic, wait_for
from tests.lab.machine import VirtualMachine
from tests.lab.node import Looks

DEVICE = "enx6c1ff71be8c8"
SYSFS = f"/sys/class/net/{DEVICE}"
GATEWAY = "192.168.77.1"
STATES = ("gone", "disabled", "down", "wedged", "flapping", "degraded", "healthy")
REACHABLE = 'nodemend_nic_reachable{nic="uplink"}'
CONFIG = """\
usb_nic:
  match: [{vendor_id: "0bda", name: uplink}]
  expect_speed: 2500
  probe: {interval: 1s, timeout: 900ms}
"""
# The watchdog looks at a queue that is full. Unanswered, ARP would end the frames before that.
FILL_THE_QUEUE = (
    f"ip neigh replace {GATEWAY} lladdr 02:00:00:00:00:01 dev {DEVICE} nud permanent; "
    f"ping -f -I {DEVICE} -c 3000 -w 10 {GATEWAY} > /dev/null; ip neigh del {GATEWAY} dev {DEVICE}"
)
REMEDIATE = f"mode: remediate\n{CONFIG}"


class Uplink:
    """A daemon that watches it, and what it says."""

    def __init__(self, machine: VirtualMachine, config: str = CONFIG) -> None:
        self.machine = machine
        machine.wait_until(f"ip route show default dev {DEVICE} | grep -q {GATEWAY}")
        self.daemon = Daemon(machine, config)

    def close(self) -> None:
        self.daemon.stop()

    def state(self) -> str | None:
        """The NIC's health as /metrics tells it."""
        text = self.machine.get("/metrics")
        shown = [s for s in STATES if sample(text, _health(s)) == 1]
        return shown[0] if shown else None

    def wait_for_state(self, *states: str, seconds: float = DEADLINE_SECONDS) -> str:
        """Until /metrics shows one of the states."""
        looks = Looks(seconds)
        while (state := self.state()) not in states:
            if not looks.rest():
                pytest.fail(f"{state} instead of {states}:\n{self.machine.journal_text()}")
        return str(state)

    def wait_until_told(
        self, event: str, words: str, seconds: float = DEADLINE_SECONDS
    ) -> dict[str, str]:
        """Until the journal has the event, for people and with its evidence as a field."""
        looks = Looks(seconds)
        while True:
            for entry in self.daemon.events(event):
                if words in entry["MESSAGE"]:
                    return entry
            if not looks.rest():
                said = "\n".join(entry["MESSAGE"] for entry in self.daemon.events())
                pytest.fail(f"no {event} with {words!r}:\n{said}")

    def wait_until_reached(self) -> None:
        self.wait_for_sample(REACHABLE, 1)

    def wait_for_sample(self, series: str, value: float) -> str:
        return wait_for(self.machine, series, value)

    def status(self) -> dict[str, Any]:
        return status_of_the_nic(self.machine)

    def steps(self) -> list[str]:
        """The steps that were begun, in their order, but for tune, which needs no fault."""
        begun = (entry["NODEMEND_STEP"] for entry in self.daemon.events("step_began"))
        return [step for step in begun if step != "tune"]

    def wait_until_idle(self, seconds: float = DEADLINE_SECONDS) -> None:
        """No step is under way: tune is, for a while after the start, and holds the only actor."""
        looks = Looks(seconds)
        while True:
            events = [entry["NODEMEND_EVENT"] for entry in self.daemon.events()]
            ended = events.count("step_verified") + events.count("step_failed")
            if ended == events.count("step_began"):
                return
            if not looks.rest():
                pytest.fail(f"a step has no end:\n{self.machine.journal_text()}")

    def ifindex(self) -> int:
        """The interface's number, which Cilium holds on to."""
        return int(self.machine.run(f"cat {SYSFS}/ifindex").stdout)

    def usb(self) -> str:
        """The adapter's place in sysfs."""
        return self.machine.run(f"realpath {SYSFS}/device/..").stdout.strip()

    def port(self) -> str:
        """The plug's place in sysfs, which is there without the adapter, too."""
        return self.machine.run(f"realpath {self.usb()}/port").stdout.strip()

    def complaints(self) -> list[str]:
        """What was told that would worry somebody."""
        return [e["MESSAGE"] for e in self.daemon.events() if int(e["PRIORITY"]) <= 4]


def told_at(event: dict[str, str]) -> float:
    """When, by journald's clock."""
    return int(event["__REALTIME_TIMESTAMP"]) / 1e6


@contextlib.contextmanager
def cared_for(machine: VirtualMachine, config: str) -> Iterator[Uplink]:
    """The uplink with a configuration, its gateway known to answer."""
    uplink = Uplink(machine, config)
    try:
        uplink.wait_until_reached()
        uplink.wait_for_state("healthy")
        uplink.wait_until_idle()
        yield uplink
    finally:
        uplink.close()


def _health(state: str) -> str:
    return f'nodemend_nic_health{{nic="uplink",state="{state}"}}'
