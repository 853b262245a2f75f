"""Which NIC it is: in another plug, replaced, without its MAC, fallen to USB 2, forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.keeper import durable_of
from agent.model.facts import ForgetRequested, LinkGone
from agent.model.identity import Adapter, Link, Uplink
from agent.model.outputs import Act
from agent.model.policy import NicMatch, Policy
from agent.model.verdicts import NicFound, NicMoved, NicReplaced, NicReturned
from tests.builders import ADAPTER, CONNECTOR, LINK, SECOND_NS, VIRTIO, Node, flapped
from tests.unit.decide.uplinks import UplinkNode, uplink_node

ELSEWHERE = "pci-0000:00:14.0-usb-0:2"
AGAIN = replace(LINK, ifindex=9)
THERE = replace(ADAPTER, connector=ELSEWHERE, usb_path="2-2", companion_path="1-2")
OTHER_MAC = "8c:ae:4c:dd:5d:ef"
OTHER = replace(AGAIN, mac=OTHER_MAC, permanent_mac=OTHER_MAC)


@pytest.fixture
def node() -> UplinkNode:
    node = uplink_node()
    node.see(flapped(LINK))
    return node


def replug(node: UplinkNode, link: Link, adapter: Adapter) -> None:
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.told.clear()
    node.see(link)
    node.read_adapter(link, adapter)


def test_moved_its_history_follows(node: UplinkNode) -> None:
    replug(node, AGAIN, THERE)

    assert [ELSEWHERE] == list(node.state.nics)
    nic = node.state.nics[ELSEWHERE]
    assert ("uplink", 1, 1) == (nic.nic, nic.flaps_total, nic.disconnects_total)
    assert NicMoved("uplink", LINK.device, LINK.mac, CONNECTOR, ELSEWHERE) in node.told


def test_two_that_change_places_keep_their_histories(node: UplinkNode) -> None:
    other = replace(OTHER, ifindex=5, device="enx2")
    node.see(other)
    node.read_adapter(other, THERE)
    node.take(LinkGone(node.at(), 5, "enx2"))
    replug(node, AGAIN, THERE)
    back = replace(OTHER, ifindex=11)
    node.see(back)
    node.read_adapter(back, ADAPTER)

    assert {CONNECTOR: (0, OTHER_MAC), ELSEWHERE: (1, LINK.mac)} == {
        connector: (nic.flaps_total, nic.permanent_mac)
        for connector, nic in node.state.nics.items()
    }


def test_another_adapter_in_the_same_plug(node: UplinkNode) -> None:
    slow = replace(ADAPTER, usb_speed_bits=480_000_000)
    replug(node, OTHER, slow)

    assert NicReplaced("uplink", LINK.device, LINK.mac, OTHER_MAC) in node.told
    assert (1, OTHER_MAC) == (node.nic.flaps_total, node.nic.permanent_mac)
    assert "healthy" == node.health, "what is slow for the old one may be all that this one can"


def test_a_made_up_mac_is_the_same_adapter(node: UplinkNode) -> None:
    nameless = replace(AGAIN, device="eth0", mac="42:14:9f:e6:b6:77", permanent_mac="")
    replug(node, nameless, replace(ADAPTER, mac_assignment=1))

    assert (LINK.mac, "eth0") == (node.nic.permanent_mac, node.nic.link and node.nic.link.device)
    assert not [v for v in node.told if isinstance(v, (NicReplaced, NicMoved, NicFound))]
    assert [v for v in node.told if isinstance(v, NicReturned)]


def test_fallen_to_usb_2_it_is_the_same_nic_and_degraded(node: UplinkNode) -> None:
    fallen = replace(ADAPTER, usb_path="1-1", companion_path="2-1", usb_speed_bits=480_000_000)
    replug(node, AGAIN, fallen)

    assert ("degraded", 1) == (node.health, node.nic.flaps_total)


def test_a_generic_driver_that_passes_is_no_disconnect(node: UplinkNode) -> None:
    passing = replace(ADAPTER, driver="cdc_ncm")
    replug(node, AGAIN, passing)
    assert node.nic.link is None, "it may be switched over within a moment"
    node.take(LinkGone(node.at(), AGAIN.ifindex, AGAIN.device))
    final = replace(LINK, ifindex=10)
    node.see(final)
    node.read_adapter(final)

    assert (1, "r8152") == (node.nic.disconnects_total, node.nic.adapter.driver)


def test_a_nic_that_vanished_is_missed_after_a_reboot(node: UplinkNode) -> None:
    after = Node(node.policy)
    after.start(durable_of(node.state), boot_id="boot-2")
    after.list_links()
    told = after.read_uplinks()
    nic = after.state.nics[CONNECTOR]

    assert nic.senses.health is not None
    assert ("gone", 1, 0) == (nic.senses.health.state, nic.flaps_total, nic.disconnects_total)
    assert "NicGone" in [type(v).__name__ for v in told]


def test_only_what_is_gone_is_forgotten(node: UplinkNode) -> None:
    node.take(ForgetRequested(node.at(), "uplink"))
    assert [CONNECTOR] == list(node.state.nics)
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.take(ForgetRequested(node.at(), "somebody"))
    assert [CONNECTOR] == list(node.state.nics)
    node.take(ForgetRequested(node.at(), "uplink"))

    assert {} == node.state.nics


@pytest.mark.parametrize("default_route", [True, False])
def test_what_carries_the_default_route_is_watched_and_never_touched(default_route: bool) -> None:
    onboard = replace(LINK, device="enp2s0")
    match = NicMatch(driver="virtio_net", name="onboard")
    node = Node(Policy("remediate", match=(match,)))
    node.start()
    node.list_links(onboard)
    node.read_adapter(onboard, replace(VIRTIO, power_control="auto"))
    node.read_uplinks(Uplink(onboard.ifindex, "enp2s0", "10.0.0.1", default_route=default_route))

    assert ([VIRTIO.connector] if default_route else []) == [
        nic.nic for nic in node.state.nics.values()
    ]
    assert not any(isinstance(output, Act) for output in node.outputs)


def test_one_that_moved_while_nobody_watched_is_followed(node: UplinkNode) -> None:
    after = UplinkNode()
    after.start(durable_of(node.state))
    after.see(AGAIN)
    after.read_adapter(AGAIN, THERE)
    after.list_links(AGAIN)
    (nic,) = after.state.nics.values()

    assert ("uplink", ELSEWHERE) == (nic.nic, nic.adapter.connector)
    assert (1, 1, 1) == (nic.flaps_total, nic.disconnects_total, nic.unobserved_gaps_total)
    assert [v for v in after.told if isinstance(v, NicMoved)]


def test_gone_at_the_first_look_it_is_watched_for_from_then_on(node: UplinkNode) -> None:
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    after = UplinkNode()
    after._seconds = node._seconds  # the same boot: its clock goes on
    after.start(durable_of(node.state))
    after.list_links()
    after.read_uplinks()
    before_ns = after.nic.downtime_ns
    for _ in range(10):
        after.at()
    after.see(AGAIN)
    after.read_adapter(AGAIN)

    assert after.nic.downtime_ns >= before_ns + 10 * SECOND_NS
    assert [v for v in after.told if isinstance(v, NicReturned)]
