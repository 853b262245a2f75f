"""The record of what happened: when it opens, what it keeps, when it closes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide.incident import NOTICED_SECONDS, _bounded
from agent.keeper import durable_of
from agent.model.facts import LinkGone, ReadFailed, TimeReached
from agent.model.identity import Stamp
from agent.model.incident import INCIDENTS_MAX, Incident, IncidentVerdict, TakenStep
from agent.model.outputs import ReadCounters, ReadUsbTree
from tests.builders import LINK, SECOND_NS, WALL_BASE_NS, lost, returned
from tests.unit.decide.test_climb import REMEDIATE, Climber, climber, wedged


def pass_time(node: Climber, seconds: int) -> None:
    for _ in range(seconds):
        node.take(TimeReached(node.at(), "probe"))


def carrier_away(node: Climber, seconds: int) -> None:
    link = node.nic.link
    assert link is not None
    node.see(lost(link))
    pass_time(node, seconds)
    node.see(returned(lost(link)))


def test_it_opens_with_the_first_evidence_and_looks_around() -> None:
    node = climber()
    node.see(lost(LINK))

    (incident,) = node.nic.incidents
    assert ("it has no carrier", None) == (incident.fault, incident.closed)
    assert ("it is set up and has no carrier",) == incident.evidence
    assert incident.before is not None
    assert incident.before.carrier is False
    assert incident.before.counters is not None
    assert {ReadUsbTree, ReadCounters} == {type(question) for question in node.asked()}


def test_what_passes_soon_leaves_nothing_behind() -> None:
    node = climber()
    carrier_away(node, NOTICED_SECONDS - 5)
    pass_time(node, 70)

    assert () == node.nic.incidents
    assert {} == node.nic.incidents_total


def test_what_lasts_is_kept_although_no_step_was_due() -> None:
    node = climber()
    carrier_away(node, NOTICED_SECONDS + 5)
    (incident,) = node.nic.incidents
    assert (True, None) == (incident.kept, incident.closed), "it settles first"
    assert incident.well_since is not None
    assert {ReadUsbTree, ReadCounters} <= {type(question) for question in node.asked()}
    pass_time(node, 65)

    (incident,) = node.nic.incidents
    assert ("passed", ()) == (incident.verdict, incident.steps)
    assert incident.closed is not None
    assert incident.well_since is not None
    settled_ns = incident.closed.boottime_ns - incident.well_since.boottime_ns
    assert settled_ns >= REMEDIATE.remediation.settle_ns
    assert incident.after is not None
    assert incident.after.carrier
    assert {"passed": 1} == node.nic.incidents_total


def test_what_comes_back_before_it_is_settled_is_the_same() -> None:
    node = climber()
    for _ in range(4):
        carrier_away(node, 3)
        pass_time(node, 30)

    (incident,) = node.nic.incidents
    assert incident.kept
    assert incident.closed is None


def test_a_noisy_log_of_a_nic_that_answers_is_no_incident() -> None:
    node = climber()
    for _ in range(10):
        node.log("control_error")
        assert node.until_a_step(seconds=30, gateway=True) is None
    pass_time(node, 150)

    assert () == node.nic.incidents


def test_the_tree_that_cannot_be_read_changes_nothing() -> None:
    node = climber()
    node.see(lost(LINK))
    before = node.state
    node.take(ReadFailed(node.at(), ReadUsbTree(), "no /sys"))

    assert before == node.state
    assert () == node.outputs


def test_an_incident_says_what_was_tried_and_what_worked() -> None:
    node = wedged()
    first = node.until_a_step()
    assert first is not None
    node.end(first, "failed", "no such device")
    second = node.until_a_step()
    assert second is not None
    node.end(second)
    node.log("usb_reset")
    node.probe(answered=True)
    (incident,) = node.nic.incidents
    assert (None, "recovered") == (incident.closed, incident.verdict)
    for _ in range(65):
        node.take(TimeReached(node.at(), "probe"))

    (incident,) = node.nic.incidents
    assert incident.closed is not None
    assert "its driver gave up" == incident.fault
    assert any("gave up" in words for words in incident.evidence)
    assert [
        ("usb_reset", "failed", "no such device"),
        ("driver_rebind", "verified", ""),
    ] == [(step.step, step.outcome, step.detail) for step in incident.steps]
    assert {"recovered": 1} == node.nic.incidents_total


def test_an_incident_that_passes_in_observe_mode_has_what_was_withheld() -> None:
    node = wedged(replace(REMEDIATE, mode="observe"))
    node.until_a_step(seconds=30)
    node.log("usb_reset")
    node.probe(answered=True)
    pass_time(node, 65)

    (incident,) = node.nic.incidents
    assert "passed" == incident.verdict
    assert [("usb_reset", "withheld")] == [(s.step, s.outcome) for s in incident.steps]


def test_a_reboot_ends_an_incident() -> None:
    node = wedged()
    assert node.until_a_step() is not None
    again = Climber()
    again.policy = REMEDIATE
    again.start(durable_of(node.state), "boot-2")

    (incident,) = again.nic.incidents
    assert "cut_off" == incident.verdict


def test_a_step_says_what_it_was_for() -> None:
    node = wedged()
    action = node.until_a_step()
    assert action is not None
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.end(action, "failed", "gone")
    node.plug = None
    assert node.until_a_step() is not None

    (incident,) = node.nic.incidents
    assert "its driver gave up" == incident.fault
    assert ["its driver gave up", "it is missing"] == [step.because for step in incident.steps]


def an_incident(number: int, verdict: IncidentVerdict, *steps: str) -> Incident:
    at = Stamp(number * SECOND_NS, WALL_BASE_NS + number * SECOND_NS)
    taken = tuple(TakenStep(step, at, "verified") for step in steps)
    return Incident(f"a-{number}", "a", "words", at, (), taken, verdict, at, kept=True)


@pytest.mark.parametrize(
    ("first", "goes"),
    [
        (("recovered", "recovered"), 2),  # the oldest that nothing was done about
        (("link_only", "passed"), 1),  # the last of its verdict stays
    ],
)
def test_of_too_many_one_goes(first: tuple[IncidentVerdict, ...], goes: int) -> None:
    incidents = [
        an_incident(number, verdict, *(["usb_reset"] if verdict != "passed" else []))
        for number, verdict in enumerate(first)
    ]
    incidents += [an_incident(n, "passed") for n in range(len(incidents), INCIDENTS_MAX)]
    incidents.append(an_incident(INCIDENTS_MAX, "recovered", "usb_reset"))
    left = _bounded(tuple(incidents))

    assert INCIDENTS_MAX == len(left)
    assert f"a-{goes}" not in {incident.id for incident in left}
