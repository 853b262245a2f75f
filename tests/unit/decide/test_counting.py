"""Losses, flaps and disconnects of one NIC, message by message."""

from __future__ import annotations

from dataclasses import replace

from agent.model.facts import LinkGone, LinkSeen
from agent.model.state import Nic
from agent.model.verdicts import (
    CarrierLost,
    CarrierReturned,
    NicDisconnected,
    NicFound,
    NicReturned,
)
from tests.builders import ADAPTER, CONNECTOR, LINK, Node, flapped, lost, returned, watching


def counts(node: Node) -> tuple[int, int, int, int]:
    nic = the_nic(node)
    return (
        nic.carrier_losses_total,
        nic.flaps_total,
        nic.disconnects_total,
        nic.unobserved_gaps_total,
    )


def the_nic(node: Node) -> Nic:
    return node.state.nics[CONNECTOR]


def test_first_sight_is_the_baseline() -> None:
    node = watching(replace(LINK, carrier_up_count=7, carrier_down_count=6))

    assert (0, 0, 0, 0) == counts(node)


def test_loss_and_return_are_one_flap() -> None:
    node = watching()

    told = node.take(LinkSeen(node.at(), lost(LINK)))

    assert [CarrierLost(CONNECTOR, LINK.device, 1, 1, carrier=False)] == told

    told = node.take(LinkSeen(node.at(), returned(lost(LINK))))

    assert [CarrierReturned(CONNECTOR, LINK.device, 1)] == told
    assert (1, 1, 0, 0) == counts(node)


def test_changes_that_share_one_message_are_all_counted() -> None:
    node = watching()

    told = node.take(LinkSeen(node.at(), flapped(LINK, times=5)))

    assert (5, 5, 0, 0) == counts(node)
    assert [
        CarrierLost(CONNECTOR, LINK.device, 5, 5, carrier=True),
        CarrierReturned(CONNECTOR, LINK.device, 5),
    ] == told


def test_a_message_that_ends_in_a_loss() -> None:
    node = watching()
    node.take(LinkSeen(node.at(), lost(flapped(LINK, times=2))))

    assert (3, 2, 0, 0) == counts(node)
    assert the_nic(node).loss_outstanding


def test_first_carrier_of_a_link_without_one_is_no_flap() -> None:
    down = replace(LINK, carrier=False, carrier_up_count=0)
    node = watching(down)
    node.take(LinkSeen(node.at(), returned(down)))

    assert (0, 0, 0, 0) == counts(node)


def test_administrative_down_and_up_are_no_losses() -> None:
    node = watching()
    down = replace(lost(LINK), admin_up=False)
    node.take(LinkSeen(node.at(), down))
    up = replace(down, admin_up=True)
    node.take(LinkSeen(node.at(), up))
    node.take(LinkSeen(node.at(), returned(up)))

    assert (0, 0, 0, 0) == counts(node)


def test_kernel_counters_wrap_at_32_bits() -> None:
    high = replace(LINK, carrier_down_count=2**32 - 1, carrier_up_count=2**32 - 1)
    node = watching(high)
    node.take(LinkSeen(node.at(), replace(high, carrier_down_count=0, carrier_up_count=0)))

    assert (1, 1, 0, 0) == counts(node)


def test_an_older_message_changes_nothing() -> None:
    node = watching(flapped(LINK, times=3))

    told = node.take(LinkSeen(node.at(), LINK))

    assert [] == told
    assert flapped(LINK, times=3) == the_nic(node).link


def test_a_replug_is_one_disconnect_and_no_flap() -> None:
    node = watching()

    told = node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))

    assert [NicDisconnected(CONNECTOR, LINK.device, 3, 1)] == told

    back = replace(LINK, ifindex=9, carrier=False, admin_up=False, carrier_up_count=0)
    node.take(LinkSeen(node.at(), back))
    told = node.read_adapter(back, replace(ADAPTER, device_number=5))

    assert [NicReturned(CONNECTOR, LINK.device, "r8152", 9, carrier=False)] == told
    assert (0, 0, 1, 0) == counts(node)


def test_what_happens_before_the_hardware_is_read_is_counted() -> None:
    node = Node()
    node.start()
    node.list_links(LINK)
    node.take(LinkSeen(node.at(), flapped(LINK)))

    told = node.read_adapter()

    assert (1, 1, 0, 0) == counts(node)
    assert isinstance(told[0], NicFound)


def test_a_flag_from_before_the_change_loses_no_flap() -> None:
    """The kernel fills a message without a lock: the flag may be older than the counts."""
    node = watching()
    node.take(LinkSeen(node.at(), replace(LINK, carrier_down_count=1)))
    node.take(LinkSeen(node.at(), lost(LINK)))
    node.take(LinkSeen(node.at(), returned(lost(LINK))))

    assert (1, 1, 0, 0) == counts(node)
