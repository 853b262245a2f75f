"""Each message to the NIC that it is about, counted once; and how long a NIC was down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.keeper import durable_of
from agent.model.facts import KernelLogRead, LinkGone, Stopping
from agent.model.outputs import Ask, FollowKernelLog, ReadCounters
from agent.model.verdicts import KernelLogOverrun
from tests.builders import ADAPTER, LINK, SECOND_NS, Node, flapped, lost, returned
from tests.unit.decide.uplinks import UplinkNode, stranger, uplink_node

SECOND = replace(LINK, ifindex=4, device="enx2", mac="02:00:00:00:00:02", permanent_mac="")
BESIDE = replace(
    ADAPTER, connector="pci-0000:00:14.0-usb-0:2", usb_path="2-2", companion_path="1-2"
)


@pytest.fixture
def node() -> UplinkNode:
    node = uplink_node()
    node.see(SECOND)
    node.read_adapter(SECOND, BESIDE)
    return node


@pytest.mark.parametrize(
    ("subject", "first", "second"),
    [
        ("usb:2-1", 1, 0),
        ("usb:1-1", 1, 0),
        ("usb:2-2", 0, 1),
        ("pci:0000:00:14.0", 1, 1),
        ("net:enx2", 0, 1),
        ("usb:2-3", 0, 0),
        ("usb:", 0, 0),
    ],
)
def test_a_message_goes_to_whom_it_is_about(
    node: UplinkNode, subject: str, first: int, second: int
) -> None:
    node.log("over_current", subject=subject)
    totals = [nic.kernel_messages_total.get("over_current", 0) for nic in node.state.nics.values()]

    assert [first, second] == totals


def test_a_transmit_timeout_is_looked_into_at_once(node: UplinkNode) -> None:
    node.log("tx_timeout")

    assert Ask(ReadCounters(LINK.ifindex, LINK.device)) in node.outputs


def test_what_was_overrun_is_told(node: UplinkNode) -> None:
    assert [KernelLogOverrun(7)] == node.take(KernelLogRead(node.at(), 300, 7, ()))


@pytest.mark.parametrize(("boot_id", "sequence"), [("boot-1", 101), ("boot-2", None)])
def test_the_log_is_followed_from_where_it_was_left(boot_id: str, sequence: int | None) -> None:
    before = uplink_node()
    before.log("over_current")
    after = Node(before.policy)
    after.start(durable_of(before.state), boot_id=boot_id)
    after.list_links(LINK)
    assert not [q for q in after.asked() if isinstance(q, FollowKernelLog)]
    if boot_id == "boot-2":
        after.read_adapter()
    after.read_uplinks()

    assert FollowKernelLog(sequence) in after.asked()
    (nic,) = after.state.nics.values()
    assert {"over_current": 1} == nic.kernel_messages_total


def downtime_seconds(node: UplinkNode) -> float:
    return node.nic.downtime_ns / SECOND_NS


def test_downtime_is_the_time_without_a_carrier(node: UplinkNode) -> None:
    node.see(lost(LINK))
    node.pass_time(9)
    node.see(returned(lost(LINK)))

    assert 10 == downtime_seconds(node)
    node.see(flapped(returned(lost(LINK))))
    assert 10 == downtime_seconds(node), "between two changes in one message nobody knows"


def test_gone_is_down_and_set_down_is_not(node: UplinkNode) -> None:
    node.see(replace(LINK, admin_up=False, carrier=False))
    node.pass_time(9)
    node.see(LINK)
    assert 0 == downtime_seconds(node)
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.pass_time(4)
    again = replace(LINK, ifindex=9)
    node.see(again)
    node.read_adapter(again)

    assert 6 == downtime_seconds(node)


@pytest.mark.parametrize("boot_id", ["boot-1", "boot-2"])
@pytest.mark.parametrize("comes_back", [True, False])
def test_an_outage_that_ends_unseen_adds_what_was_seen_of_it(
    boot_id: str, *, comes_back: bool
) -> None:
    before = uplink_node()
    before.see(lost(LINK))
    before.pass_time(3)
    before.take(Stopping(before.at(), "SIGTERM"))
    assert 4 == downtime_seconds(before)
    found = returned(lost(LINK)) if comes_back else lost(LINK)
    after = stranger(durable_of(before.state), boot_id, found)

    assert comes_back == (after.nic.down_since_ns is None)
    assert 4 == downtime_seconds(after)
