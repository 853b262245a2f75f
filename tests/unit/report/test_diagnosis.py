"""The report: which part is to blame, by which signs, and when nobody can say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.decide.faults import BY_NAME
from agent.decide.history import DAY_NS, DAYS_MAX, note
from agent.model.facts import SpeedRead
from agent.model.identity import Stamp
from agent.model.incident import Incident, IncidentVerdict, TakenStep
from agent.model.policy import Policy
from agent.model.state import Nic
from agent.report import diagnosis
from agent.report.signatures import PARTS, SIGNS
from agent.report.track_record import track_record
from tests.builders import ADAPTER, LINK, SECOND_NS, WALL_BASE_NS, watching
from tests.unit.decide.test_climb import wedged

NOW = Stamp(10**15, WALL_BASE_NS + 90 * DAY_NS)
POLICY = Policy(expect_speed_bits=2_500_000_000)
MONTH_SECONDS = 30 * 86400


def a_nic(**changes: Any) -> Nic:
    nic = Nic("uplink", ADAPTER, LINK, best_usb_speed_bits=5_000_000_000, steps_left=10)
    return replace(nic, **changes)


def an_incident(
    fault: str, verdict: IncidentVerdict, *steps: tuple[str, str], seconds: int = 60, days: int = 1
) -> Incident:
    opened = Stamp(0, NOW.wall_ns - days * DAY_NS)
    well = Stamp(seconds * SECOND_NS, opened.wall_ns + seconds * SECOND_NS)
    return Incident(
        f"uplink-{days}",
        LINK.device,
        BY_NAME[fault].words,
        opened,
        (),
        tuple(TakenStep(step, opened, outcome) for step, outcome in steps),
        verdict,
        well,
        kept=True,
        well_since=well,
        fault_name=fault,
    )


def behind_a_silent_gateway() -> Nic:
    """As decided, so that the words that the sign looks for are those that are told."""
    node = wedged()
    action = node.until_a_step()
    assert action is not None
    node.end(action)
    node.log("usb_reset")
    node.take(SpeedRead(node.at(), LINK.ifindex, 2_500_000_000))
    assert node.until_a_step(seconds=200) is None
    (incident,) = node.nic.incidents
    assert "link_only" == incident.verdict
    long_ago_ns = NOW.wall_ns - incident.opened.wall_ns - DAY_NS
    opened = replace(incident.opened, wall_ns=incident.opened.wall_ns + long_ago_ns)
    moved = replace(incident, opened=opened, well_since=opened, closed=opened)
    return a_nic(incidents=(moved,))


CASES: list[tuple[str, Nic, tuple[str, ...]]] = [
    ("a healthy one", a_nic(), ()),
    ("one lost carrier", a_nic(carrier_losses_total=1), ()),
    ("many lost carriers", a_nic(carrier_losses_total=40), ("cable",)),
    (
        "many lost carriers of an adapter that is unwell",
        a_nic(carrier_losses_total=40, kernel_messages_total={"transfer_error": 90}),
        ("adapter",),
    ),
    ("a slow link", a_nic(speed_bits=1_000_000_000), ("cable",)),
    (
        "on USB 2",
        a_nic(adapter=replace(ADAPTER, usb_speed_bits=480_000_000)),
        ("adapter",),
    ),
    ("one unplugging", a_nic(disconnects_total=1), ()),
    ("many disconnects", a_nic(disconnects_total=9), ("adapter",)),
    ("over-current", a_nic(kernel_messages_total={"over_current": 1}), ("adapter",)),
    ("enumeration", a_nic(kernel_messages_total={"enumeration_error": 4}), ("adapter",)),
    ("a failed probe", a_nic(kernel_messages_total={"probe_failed": 1}), ("adapter",)),
    ("a MAC lost once", a_nic(kernel_messages_total={"mac_lost": 1}), ()),
    ("a driver that gave up", a_nic(kernel_messages_total={"gave_up": 1}), ("driver",)),
    ("a hung queue", a_nic(kernel_messages_total={"tx_timeout": 2}), ("driver",)),
    ("power management alone", a_nic(kernel_messages_total={"link_power": 2}), ()),
    (
        "power management and offloads",
        a_nic(kernel_messages_total={"link_power": 2, "offload_error": 1}),
        ("driver",),
    ),
    ("a dead controller", a_nic(kernel_messages_total={"controller_died": 1}), ("controller",)),
    (
        "a wedge that a reset ended",
        a_nic(
            kernel_messages_total={"gave_up": 1, "control_error": 3, "usb_reset": 4},
            incidents=(an_incident("driver_dead", "recovered", ("usb_reset", "verified")),),
        ),
        ("driver",),
    ),
    (
        "a wedge that only cutting the power ended",
        a_nic(
            kernel_messages_total={"control_error": 3},
            incidents=(
                an_incident(
                    "registers_dead",
                    "recovered",
                    ("usb_reset", "unverified"),
                    ("port_power", "verified"),
                ),
            ),
        ),
        ("adapter",),
    ),
    (
        "a hung PHY",
        a_nic(
            carrier_losses_total=1,
            incidents=(
                an_incident(
                    *("no_carrier", "recovered"),
                    ("link_bounce", "unverified"),
                    ("usb_reset", "verified"),
                ),
            ),
        ),
        ("adapter",),
    ),
    (
        "a carrier that nothing brought back",
        a_nic(
            carrier_losses_total=1,
            incidents=(
                an_incident(
                    *("no_carrier", "beyond_repair"),
                    ("link_bounce", "unverified"),
                    ("usb_reset", "unverified"),
                ),
            ),
        ),
        ("switch",),
    ),
    (
        "a switch that restarted twice",
        a_nic(
            carrier_losses_total=2,
            incidents=(
                an_incident("no_carrier", "passed", seconds=90),
                an_incident("no_carrier", "passed", seconds=70, days=3),
            ),
        ),
        ("switch",),
    ),
    (
        "a silent gateway behind a link that is well",
        behind_a_silent_gateway(),
        ("switch",),
    ),
    (
        "k3s that did not come back with its link",
        a_nic(incidents=(an_incident("driver_dead", "link_only", ("usb_reset", "link_only")),)),
        (),
    ),
    (
        "the generic driver",
        a_nic(
            incidents=(an_incident("wrong_driver", "recovered", ("usb_config_cycle", "verified")),)
        ),
        ("driver",),
    ),
    (
        "two that are as likely",
        a_nic(kernel_messages_total={"over_current": 1, "controller_died": 1}),
        ("adapter", "controller"),
    ),
]


@pytest.mark.parametrize(("nic", "parts"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_who_is_to_blame(nic: Nic, parts: tuple[str, ...]) -> None:
    found, signs = diagnosis.blamed(track_record(nic, POLICY, NOW, MONTH_SECONDS))

    assert parts == found
    if parts:
        assert {sign.part for sign, _ in signs} >= set(parts), "with the evidence"


def test_every_sign_is_found_somewhere() -> None:
    seen = {
        id(sign)
        for _, nic, _ in CASES
        for sign, _ in diagnosis.blamed(track_record(nic, POLICY, NOW, MONTH_SECONDS))[1]
    }
    missing = [sign.looked_for for sign in SIGNS if id(sign) not in seen]

    # Each is one message of the kernel, as its neighbours are.
    assert missing == [
        "a few transfer errors",
        "a driver that heard no more of link changes (`interrupt_stopped`)",
    ]
    assert set(PARTS) == {sign.part for sign in SIGNS}


def test_what_is_not_enough_is_said() -> None:
    report = diagnosis.as_object(
        {"a": a_nic(kernel_messages_total={"mac_lost": 1})}, POLICY, NOW, MONTH_SECONDS
    )

    assert "There is not enough evidence to say what it is." in diagnosis.as_text(report)
    healthy = diagnosis.as_object({"a": a_nic()}, POLICY, NOW, MONTH_SECONDS)
    assert "Nothing is wrong with it." in diagnosis.as_text(healthy)
    assert "No NIC is known." in diagnosis.as_text(
        diagnosis.as_object({}, POLICY, NOW, MONTH_SECONDS)
    )


def test_only_what_came_since_counts() -> None:
    """A cable that was changed two months ago is not to blame for ever."""
    nic = a_nic(carrier_losses_total=40)
    node = watching()
    state = replace(node.state, nics={"a": nic})
    for day in range(60):
        state = note(state, Stamp(0, WALL_BASE_NS + day * DAY_NS))
    nic = replace(state.nics["a"], carrier_losses_total=41)
    assert DAYS_MAX == len(nic.tallies)
    at = Stamp(0, WALL_BASE_NS + 60 * DAY_NS)
    record = track_record(nic, POLICY, at, MONTH_SECONDS)

    assert 1 == record.carrier_losses
    assert WALL_BASE_NS + 30 * DAY_NS == record.counted_since_wall_ns
    assert ((), 41) == (
        diagnosis.blamed(record)[0],
        track_record(a_nic(carrier_losses_total=41), POLICY, at, MONTH_SECONDS).carrier_losses,
    )


def test_a_new_one_counts_from_its_beginning() -> None:
    since = Stamp(0, NOW.wall_ns - 3600 * SECOND_NS)
    record = track_record(
        a_nic(known_since=since, carrier_losses_total=4), POLICY, NOW, MONTH_SECONDS
    )

    assert (4, since.wall_ns) == (record.carrier_losses, record.counted_since_wall_ns)


def test_a_clock_that_was_set_back_forgets_the_days_to_come() -> None:
    node = watching()
    state = note(replace(node.state, nics={"a": a_nic()}), Stamp(0, 90 * DAY_NS))
    state = note(state, Stamp(1, 30 * DAY_NS))

    assert [30 * DAY_NS] == [tally.wall_ns for tally in state.nics["a"].tallies]


def test_what_was_done_and_would_have_been() -> None:
    nic = a_nic(
        incidents=(
            an_incident(
                *("driver_dead", "recovered"),
                ("usb_reset", "failed"),
                ("driver_rebind", "verified"),
                days=2,
            ),
            an_incident("driver_dead", "passed", ("usb_reset", "withheld")),
            an_incident("driver_dead", "passed", ("usb_reset", "withheld"), days=40),
        ),
        blocked_total={"budget": 1},
        downtime_ns=3_723 * SECOND_NS,
        steps_left=8,
    )
    text = diagnosis.as_text(diagnosis.as_object({"a": nic}, POLICY, NOW, MONTH_SECONDS))

    assert "usb_reset was taken once: helped 0, failed 1" in text
    assert "usb_reset would have been taken once (mode observe)" in text
    assert "driver_rebind was taken once: helped 1" in text
    assert "without a carrier or gone for 1h 2m 3s" in text
    assert "8 of 10 steps within 1h are left; once it was spent" in text
    assert "its driver gave up; a step helped, verified after 1m (uplink-2)" in text
    assert "uplink-40" not in text


def test_one_that_is_not_named_is_said_to_be_left_alone() -> None:
    report = diagnosis.as_object({"a": a_nic(steps_left=None)}, POLICY, NOW, MONTH_SECONDS)

    assert "usb_nic.match does not name it: no step is ever taken" in diagnosis.as_markdown(report)


def test_the_signs_speak_of_faults_that_exist() -> None:
    for name in ("no_carrier", "wrong_driver"):
        assert name in BY_NAME
