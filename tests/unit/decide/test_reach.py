"""Reachable, unreachable, unknown: what silence is taken for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide.reach import MISSES_UNREACHABLE, MISSES_UNREACHABLE_THOUGH_ARRIVING
from agent.keeper import durable_of
from agent.model.facts import ProbeEnded, ReadFailed, TimeReached
from agent.model.identity import Uplink
from agent.model.outputs import Ask, Probe, ReadCounters
from agent.model.policy import Policy, ProbePolicy
from agent.model.verdicts import NicReachable, NicUnreachable
from tests.builders import LINK, Node, lost, returned
from tests.unit.decide.uplinks import GATEWAY, POLICY, UplinkNode, stranger, uplink_node


@pytest.fixture
def node() -> UplinkNode:
    return uplink_node()


def reachable(node: UplinkNode) -> bool | None:
    return node.nic.senses.reach.reachable


def probes(node: Node) -> list[Probe]:
    node.take(TimeReached(node.at(), "probe"))
    return [
        o.question for o in node.outputs if isinstance(o, Ask) and isinstance(o.question, Probe)
    ]


def test_a_gateway_that_never_answered_is_unknown_for_ever() -> None:
    node = stranger()
    for _ in range(100):
        node.probe(answered=False)

    assert (None, "healthy") == (reachable(node), node.health)
    assert not [v for v in node.told if isinstance(v, NicUnreachable)]


def test_one_that_used_to_answer_is_unreachable_once_nothing_arrives(node: UplinkNode) -> None:
    for _ in range(MISSES_UNREACHABLE - 1):
        node.probe(answered=False)
    assert reachable(node) is True
    node.probe(answered=False)

    assert (False, "healthy") == (reachable(node), node.health)
    (told,) = [v for v in node.told if isinstance(v, NicUnreachable)]
    assert ("uplink", GATEWAY, "not one packet") == (told.nic, told.target, told.arriving)
    node.probe(answered=True)
    assert reachable(node) is True
    assert [NicReachable("uplink", LINK.device, GATEWAY)] == [
        v for v in node.told if isinstance(v, NicReachable)
    ]


def test_while_others_packets_arrive_it_takes_longer_and_is_no_wedge(node: UplinkNode) -> None:
    for packets in range(MISSES_UNREACHABLE_THOUGH_ARRIVING - 1):
        node.probe(answered=False, rx_packets=2000 + packets)
    assert reachable(node) is True
    for packets in range(100):
        node.probe(answered=False, rx_packets=3000 + packets)

    assert (False, "healthy") == (reachable(node), node.health)


def test_a_minute_of_it_without_a_packet_is_a_wedge(node: UplinkNode) -> None:
    for _ in range(29):
        node.probe(answered=False)
    assert "healthy" == node.health
    node.probe(answered=False)

    assert "wedged" == node.health
    node.probe(answered=True)
    assert "healthy" == node.health


def test_a_carrier_that_comes_begins_anew(node: UplinkNode) -> None:
    for _ in range(10):
        node.probe(answered=False)
    node.see(lost(LINK))
    assert reachable(node) is None
    assert [] == probes(node)
    node.see(returned(lost(LINK)))

    assert 1 == len(probes(node))
    assert [] == probes(node), "one at a time"


def test_what_was_asked_of_another_concerns_nobody(node: UplinkNode) -> None:
    before = node.nic.senses.reach
    node.take(ProbeEnded(node.at(), LINK.ifindex, "192.168.77.254", answered=False))

    assert before == node.nic.senses.reach


def test_a_probe_that_could_not_be_sent_is_no_silence(node: UplinkNode) -> None:
    (probe,) = probes(node)
    node.take(ReadFailed(node.at(), probe, "Network is unreachable"))

    assert (True, 0) == (reachable(node), node.nic.senses.reach.misses)
    assert [probe] == probes(node)


def test_nobody_is_probed_without_a_gateway_or_a_carrier(node: UplinkNode) -> None:
    node.read_uplinks(Uplink(LINK.ifindex, LINK.device, None, default_route=True))
    assert [] == probes(node)
    node.read_uplinks()
    assert [] == probes(node)


def test_a_port_is_probed_through_its_master(node: UplinkNode) -> None:
    node.read_uplinks(Uplink(LINK.ifindex, "br0", "10.0.0.1", default_route=True))
    (probe,) = probes(node)

    assert (LINK.ifindex, "br0", "10.0.0.1") == (
        probe.ifindex,
        probe.layer3_device,
        probe.target,
    )


def test_an_address_to_probe(node: UplinkNode) -> None:
    policy = ProbePolicy(target="192.168.77.9", interval_ns=5, timeout_ns=3)
    node.policy = replace(POLICY, probe=policy)
    (probe,) = probes(node)

    assert ("192.168.77.9", 3) == (probe.target, probe.timeout_ns)


def test_who_answered_once_is_known_after_a_restart(node: UplinkNode) -> None:
    after = Node(Policy(match=POLICY.match))
    after.start(durable_of(node.state))
    after.list_links(LINK)
    (nic,) = after.state.nics.values()

    assert (GATEWAY, None) == (nic.gateway_known, nic.senses.reach.reachable)


def test_probing_changes_nothing_that_is_saved(node: UplinkNode) -> None:
    before = durable_of(node.state)
    for _ in range(10):
        node.probe(answered=True)
        node.pass_time(2)

    assert before == durable_of(node.state)


def test_what_arrives_must_be_known_for_a_wedge(node: UplinkNode) -> None:
    unread = ReadCounters(LINK.ifindex, LINK.device)
    for _ in range(40):
        node.take(ProbeEnded(node.at(), LINK.ifindex, GATEWAY, answered=False))
        node.take(ReadFailed(node.at(), unread, "No such file or directory"))

    assert "healthy" == node.health
