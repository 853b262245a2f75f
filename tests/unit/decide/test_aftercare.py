"""After a step that made the interface anew: the link is back; are k3s and Cilium?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide.aftercare import ASK_AGAIN_SECONDS, CHECK_AFTER_CARE_SECONDS, CHECK_SECONDS
from agent.decide.go_ahead import refusal
from agent.keeper import durable_of
from agent.model.actions import RestartUnits
from agent.model.facts import LinkGone, NodeRead, ProbeEnded, ReadFailed, TimeReached
from agent.model.identity import NodeHealth, Uplink
from agent.model.outputs import ReadNode
from agent.model.policy import Policy
from agent.model.verdicts import AftercareBegan, NicLinkOnly, NicRecovered, StepFailed
from tests.builders import CONNECTOR, LINK, lost
from tests.unit.decide.test_climb import Climber, reset, wedged, with_remediation
from tests.unit.decide.uplinks import GATEWAY

ANEW = replace(LINK, ifindex=4)
REBIND = with_remediation(steps=("driver_rebind",))
WITH_UNITS = with_remediation(steps=("driver_rebind",), aftercare=("k3s-agent.service",))


def rebound(policy: Policy = REBIND) -> Climber:
    """Its interface was made anew; link and gateway are well again."""
    node = wedged(policy)
    action = node.until_a_step()
    assert action is not None
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.see(ANEW)
    node.read_adapter(ANEW)
    node.read_uplinks(Uplink(ANEW.ifindex, ANEW.device, GATEWAY, default_route=True))
    node.end(action)
    node.log("driver_bound")
    node.take(ProbeEnded(node.at(), ANEW.ifindex, GATEWAY, answered=True))
    return node


def answer(node: Climber, *, heard: bool = False, cilium: str | None = None) -> None:
    at = node.at()
    found = NodeHealth(at.boottime_ns if heard else 0, cilium)
    node.take(NodeRead(at, CONNECTOR, found))


def until_told(node: Climber, kind: type, seconds: int, cilium: str | None = None) -> object:
    """Whoever asks hears that k3s has heard nothing."""
    for _ in range(seconds):
        node.take(TimeReached(node.at(), "probe"))
        if ReadNode(CONNECTOR) in node.asked():
            answer(node, cilium=cilium)
        found = [told for told in node.told if isinstance(told, kind)]
        if found:
            return found[-1]
    pytest.fail(f"no {kind.__name__} within {seconds} s: {node.told[-5:]}")


def recovered(node: Climber) -> bool:
    return any(isinstance(told, NicRecovered) for told in node.told)


def test_a_step_that_keeps_the_number_asks_nobody() -> None:
    node = reset()
    node.probe(answered=True)

    assert recovered(node)
    assert ReadNode(CONNECTOR) not in node.asked()


def test_it_has_recovered_when_k3s_has_heard_from_its_server_since() -> None:
    node = rebound()
    assert ReadNode(CONNECTOR) in node.asked()
    assert not recovered(node)
    answer(node)
    assert not recovered(node), "it has heard nothing since"

    answer(node, heard=True)
    assert recovered(node)
    assert {"driver_rebind": 1} == node.nic.recoveries_total


def test_what_is_not_there_is_not_ill() -> None:
    node = rebound()
    node.take(NodeRead(node.at(), CONNECTOR, NodeHealth()))

    assert recovered(node)


def test_who_cannot_be_asked_is_not_known_to_be_ill() -> None:
    node = rebound()
    for _ in range(CHECK_SECONDS + 5):
        node.take(TimeReached(node.at(), "probe"))
        if ReadNode(CONNECTOR) in node.asked():
            node.take(ReadFailed(node.at(), ReadNode(CONNECTOR), "no answer"))

    assert recovered(node)


def test_k3s_that_hears_nothing_makes_it_link_only() -> None:
    node = rebound()
    told = until_told(node, NicLinkOnly, CHECK_SECONDS + 5)

    assert isinstance(told, NicLinkOnly)
    assert "k3s has heard nothing from its server since" == told.why
    assert not recovered(node)
    assert not node.actions(), "nothing is configured that could be restarted"
    assert "settling" == node.phase
    incident = node.nic.incidents[-1]
    assert ("link_only", "link_only") == (incident.verdict, incident.steps[-1].outcome)


def test_cilium_is_looked_at_twice() -> None:
    node = rebound()
    answer(node, heard=True, cilium="")
    assert not recovered(node), "it may not have noticed yet"
    for _ in range(ASK_AGAIN_SECONDS + 1):
        node.take(TimeReached(node.at(), "probe"))

    assert recovered(node)


def test_what_cilium_says_is_told() -> None:
    node = rebound()
    for _ in range(CHECK_SECONDS + 5):
        node.take(TimeReached(node.at(), "probe"))
        if ReadNode(CONNECTOR) in node.asked():
            answer(node, heard=True, cilium="Kvstore: disconnected")

    (told,) = [told for told in node.told if isinstance(told, NicLinkOnly)]
    assert "Cilium says of itself: Kvstore: disconnected" == told.why


def cared(policy: Policy = WITH_UNITS) -> tuple[Climber, RestartUnits]:
    node = rebound(policy)
    told = until_told(node, AftercareBegan, CHECK_SECONDS + 5)
    assert isinstance(told, AftercareBegan)
    assert ("k3s-agent.service",) == told.units
    (action,) = node.actions()
    assert isinstance(action, RestartUnits)
    assert (("k3s-agent.service",), 4) == (action.units, action.ifindex)
    assert refusal(node.state, policy, action, None) is None
    return node, action


def test_the_configured_units_are_restarted_and_it_has_recovered() -> None:
    node, action = cared()
    node.end(action)
    answer(node)
    answer(node, heard=True)

    assert recovered(node)
    steps = [(step.step, step.outcome) for step in node.nic.incidents[-1].steps]
    assert [("driver_rebind", "link_only"), ("aftercare", "verified")] == steps


def test_they_are_restarted_once() -> None:
    node, action = cared()
    node.end(action)
    told = until_told(node, NicLinkOnly, CHECK_AFTER_CARE_SECONDS + 5)

    assert isinstance(told, NicLinkOnly)
    assert not node.actions()


def test_a_restart_that_failed_is_told() -> None:
    node, action = cared()
    node.end(action, "failed", "Unit k3s-agent.service not found.")
    told = until_told(node, NicLinkOnly, CHECK_AFTER_CARE_SECONDS + 5)

    assert isinstance(told, NicLinkOnly)
    assert "the restart failed: Unit k3s-agent.service not found." in told.why


def test_in_observe_mode_nothing_is_restarted() -> None:
    node = rebound(WITH_UNITS)
    node.policy = replace(WITH_UNITS, mode="observe")
    until_told(node, NicLinkOnly, CHECK_SECONDS + 5)

    assert not [told for told in node.told if isinstance(told, AftercareBegan)]


def test_a_restart_of_the_daemon_in_between_restarts_them_no_second_time() -> None:
    node, _action = cared()
    again = Climber()
    again.policy, again.told = WITH_UNITS, []
    again.start(durable_of(node.state))
    again.list_links(ANEW)
    again.read_adapter(ANEW)
    again.read_uplinks(Uplink(ANEW.ifindex, ANEW.device, GATEWAY, default_route=True))
    again.log()
    again.take(ProbeEnded(again.at(), ANEW.ifindex, GATEWAY, answered=True))
    until_told(again, NicLinkOnly, CHECK_AFTER_CARE_SECONDS + 5)

    assert not [told for told in again.told if isinstance(told, AftercareBegan)]


def test_a_link_that_fails_meanwhile_ends_the_step() -> None:
    node = rebound()
    node.log("gave_up")
    for _ in range(15):
        node.take(TimeReached(node.at(), "probe"))

    (told,) = [told for told in node.told if isinstance(told, StepFailed)]
    assert ("unverified", "after it, its driver gave up") == (told.outcome, told.detail)


def test_a_link_that_is_down_in_the_end_is_no_recovery() -> None:
    node = rebound()
    node.see(lost(ANEW))
    for _ in range(CHECK_SECONDS + 5):
        node.take(TimeReached(node.at(), "probe"))
        if ReadNode(CONNECTOR) in node.asked():
            answer(node)

    assert [told for told in node.told if isinstance(told, StepFailed)]
    assert not recovered(node)
