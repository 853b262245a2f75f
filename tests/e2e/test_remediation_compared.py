"""Beside what a cluster has today: node_exporter, Prometheus, and kube-prometheus' own rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.breakages import BREAKAGES, NETWORK, Breakage, BreakIt
from tests.e2e.comparison import EXPRESSION, PAGE, RULE, Compared, as_markdown
from tests.e2e.seen_page import collected
from tests.e2e.uplink import DEVICE, GATEWAY, REACHABLE, REMEDIATE, Uplink, cared_for, told_at
from tests.lab import prometheus
from tests.lab.machine import EXPORTER_PORT, VirtualMachine
from tests.lab.prometheus import Prometheus
from tests.lab.rtl8156.client import Rtl8156

pytestmark = [
    pytest.mark.full,
    pytest.mark.parametrize("machine", ["bookworm"], indirect=True),
]

JOB, SCRAPE_SECONDS = "node-exporter", 15
RULES = f"""\
groups:
- name: node-network
  rules:
  - alert: {RULE}
    expr: {EXPRESSION}
    for: 2m
    labels: {{severity: warning}}
"""
# The NIC, by whichever name it goes.
UP = f'node_network_up{{job="{JOB}",device=~"{DEVICE}|eth0"}}'
CHANGES = f'node_network_carrier_changes_total{{job="{JOB}",device=~"{DEVICE}|eth0"}}'
ALERT = f'ALERTS{{alertname="{RULE}",alertstate="firing",device=~"{DEVICE}|eth0"}}'
GRACE = "down_grace: 1m"
WELL_SECONDS_MAX = 300


def _flap(_uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.link_down()
    adapter.link_up()


def _three_flaps(uplink: Uplink, adapter: Rtl8156) -> None:
    for _ in range(3):
        _flap(uplink, adapter)


def _pulled_for_a_while(_uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.link_down()
    time.sleep(40)  # shorter than the cable is waited for, longer than two scrapes
    adapter.link_up()


def _flaps_with_the_scrapes(_uplink: Uplink, adapter: Rtl8156) -> None:
    """The one pattern that the rule is made for: another state at each scrape, for minutes."""
    began = time.monotonic()
    for number in range(1, 21):
        adapter.fault("link_down" if number % 2 else "link_up")
        time.sleep(max(0.0, began + number * SCRAPE_SECONDS - time.monotonic()))


def _slower(_uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.link_down()
    adapter.fault("speed", "1000")
    adapter.link_up()


def _usb_2(_uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.plug("hs")


def _lost_frames(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("data_lost")
    uplink.wait_for_sample(REACHABLE, 0)
    adapter.fault("data_ok")


def _errors(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("tx_eproto")
    uplink.machine.run(f"ping -f -I {DEVICE} -c 300 -w 15 {GATEWAY} || true")
    adapter.fault("tx_ok")


@dataclass(frozen=True)
class Scene:
    """A fault, and the event that ends it; none where it stays until somebody goes there."""

    what: str
    break_it: BreakIt
    over: str | None
    remediation: str = GRACE
    breakage: Breakage | None = None  # what is done about it, and verified

    def is_told_by(self, steps: list[str]) -> bool:
        return self.breakage.is_told_by(steps) if self.breakage is not None else not steps

    @property
    def config(self) -> str:
        return f"{REMEDIATE}  remediation: {{settle: 10s, {self.remediation}}}\n"


def _scene(breakage: Breakage) -> Scene:
    over = "nic_recovered" if breakage.steps else "nic_healthy"
    what, remediation = breakage.what.partition(" (")[0], breakage.remediation or GRACE
    return Scene(what, breakage.break_it, over, remediation, breakage)


SCENES = (
    *(_scene(breakage) for breakage in BREAKAGES),
    Scene("one flap, of less than a second", _flap, "carrier_returned"),
    Scene("three flaps within seconds", _three_flaps, None),
    Scene("cable out for 40 s", _pulled_for_a_while, "nic_healthy"),
    Scene("down for 15 s and up for 15 s, for five minutes", _flaps_with_the_scrapes, None),
    Scene("the link trains at 1000 Mb/s instead of 2500", _slower, None),
    Scene("it falls back to USB 2", _usb_2, None),
    Scene("every frame is lost, and nobody is told", _lost_frames, "nic_reachable"),
    Scene("transmits fail on the wire", _errors, None),
)


@pytest.fixture(scope="session")
def compared() -> Iterator[dict[str, Compared]]:
    """By fault; a page once all of them were."""
    faults = [scene.what for scene in SCENES]
    yield from collected(PAGE, Compared, lambda compared: as_markdown(compared, faults))


@pytest.fixture(scope="module")
def exporter(machine: VirtualMachine) -> Iterator[str]:
    """Where node_exporter answers, at work on the same node."""
    prometheus.start_exporter(machine)
    yield f"127.0.0.1:{machine.port(EXPORTER_PORT)}"
    machine.run("systemctl stop exporter")


@pytest.fixture
def beside(exporter: str, adapter: Rtl8156) -> Iterator[Prometheus]:
    """What a cluster has today. A new one for each fault: it knows nothing of the one before."""
    with prometheus.scraping(exporter, JOB, f"{SCRAPE_SECONDS}s", RULES) as found:
        found.wait_for(f"{UP} == 1")
        yield found


@pytest.mark.parametrize("scene", [pytest.param(s, id=s.what.partition(":")[0]) for s in SCENES])
def test_compared(
    machine: VirtualMachine,
    beside: Prometheus,
    adapter: Rtl8156,
    compared: dict[str, Compared],
    scene: Scene,
) -> None:
    network = machine.read(NETWORK)
    try:
        with cared_for(machine, scene.config) as uplink:
            began, began_on_node = time.time(), float(machine.run("date +%s.%N").stdout)
            scene.break_it(uplink, adapter)
            told, well = wait_until_told(uplink, scene)
            steps = uplink.steps()
            scraped = f'timestamp(up{{job="{JOB}"}})'
            beside.wait_for(f"{scraped} > {time.time() + SCRAPE_SECONDS}", 4 * SCRAPE_SECONDS)
            seconds = time.time() - began
            alerts = beside.samples(ALERT, seconds)
            compared[scene.what] = Compared(
                saw=", ".join(
                    f"`{e['NODEMEND_EVENT']}` {told_at(e) - began_on_node:.1f} s" for e in told
                ),
                did=", ".join(f"`{step}`" for step in steps) or "nothing",
                well_seconds=told_at(well) - began_on_node if well else None,
                exporter_saw=_in_words(beside, began, seconds),
                rule=f"fires after {alerts[0][0] - began:.0f} s" if alerts else "silent",
            )
            assert scene.is_told_by(steps), steps
            if scene.break_it is _flaps_with_the_scrapes:
                assert alerts, "the rule works, and had its chance"
    finally:
        machine.write(NETWORK, network)
        machine.run("networkctl reload")


FAULTY = (
    *("nic_gone", "nic_down", "nic_wedged", "nic_flapping", "nic_degraded", "nic_unreachable"),
    *("carrier_lost", "nic_disconnected"),
)
SHOWN_MAX = 3


def wait_until_told(
    uplink: Uplink, scene: Scene
) -> tuple[list[dict[str, str]], dict[str, str] | None]:
    """What the journal has of the fault, each kind once, and of its end."""
    deadline = time.monotonic() + WELL_SECONDS_MAX
    while True:
        about_it = [e for e in uplink.daemon.events() if e.get("NODEMEND_NIC") == "uplink"]
        first: dict[str, dict[str, str]] = {}
        for entry in about_it:
            if entry["NODEMEND_EVENT"] in FAULTY:
                first.setdefault(entry["NODEMEND_EVENT"], entry)
        told = list(first.values())
        ends = [
            entry
            for entry in about_it
            if told and entry["NODEMEND_EVENT"] == scene.over and told_at(entry) > told_at(told[0])
        ]
        if told and (ends or scene.over is None):
            return told[:SHOWN_MAX], ends[0] if ends else None
        assert time.monotonic() < deadline, [entry["MESSAGE"] for entry in about_it]
        time.sleep(1)


def _in_words(beside: Prometheus, began: float, seconds: float) -> str:
    """What its series say of the fault."""
    samples = beside.samples(UP, seconds)
    scrapes = len(beside.samples(f'up{{job="{JOB}"}}', seconds))
    down = [at for at, value in samples if not value]
    changes = [value for _, value in beside.samples(CHANGES, seconds + SCRAPE_SECONDS)]
    words = []
    if down:
        first = down[0] - began
        words.append(f"down in {len(down)} of {scrapes} samples, first after {first:.0f} s")
    if len(samples) < scrapes:
        words.append(f"no series in {scrapes - len(samples)} of {scrapes}")
    if changes and max(changes) > changes[0]:
        words.append(f"{max(changes) - changes[0]:.0f} carrier changes")
    elif changes and min(changes) < changes[0]:
        words.append("carrier changes begin anew")
    return "; ".join(words) or "nothing"
