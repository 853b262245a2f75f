"""Which links are watched, what a listing may say, what a restart takes over."""

from __future__ import annotations

from dataclasses import replace

from agent.model.facts import LinkGone, LinkSeen, LinksListed, ReadFailed, SourceGap, TimeReached
from agent.model.outputs import ListLinks, ReadAdapter, ReadUplinks, Wake
from agent.model.policy import NicMatch, Policy
from agent.model.state import Durable
from agent.model.verdicts import (
    CarrierLost,
    NicDisconnected,
    NicFound,
    NicGoneUnobserved,
    NicReturned,
    ReadingFailed,
    SourceLostMessages,
    WatchBegan,
)
from tests.builders import (
    ADAPTER,
    CONNECTOR,
    LINK,
    SECOND_NS,
    VIRTIO,
    Node,
    flapped,
    lost,
    watching,
)

VETH = replace(LINK, ifindex=20, device="lxc1234", physical=False)
ONBOARD = replace(LINK, ifindex=2, device="eno1", mac="00:11:22:33:44:55")


def durable(node: Node) -> Durable:
    return Durable(node.state.boot_id, node.state.nics)


def test_start_asks_for_all_links() -> None:
    node = Node()
    node.start()

    assert [ListLinks(1), ReadUplinks()] == node.asked()
    assert any(isinstance(output, Wake) for output in node.outputs)


def test_only_physical_links_are_looked_at() -> None:
    node = Node()
    node.start()
    node.list_links(VETH, LINK)

    assert [ReadAdapter(LINK.ifindex, LINK.device)] == node.asked()


def test_what_is_watched_is_told_once_the_first_look_is_complete() -> None:
    node = Node()
    node.start()

    assert [] == node.list_links(LINK, ONBOARD)
    assert [] == node.read_uplinks()
    assert [NicFound] == [type(v) for v in node.read_adapter()]

    told = node.read_adapter(ONBOARD, VIRTIO)

    watched = (f"{CONNECTOR} ({LINK.device})",)
    assert [WatchBegan("1.2.3", "observe", watched, ("eno1 (virtio_net)",), ())] == told
    assert [] == node.list_links(LINK, ONBOARD)


def test_an_ignored_nic_is_not_watched() -> None:
    node = watching(policy=Policy(ignore=(NicMatch(vendor_id="0bda"),)))

    assert {} == node.state.nics
    assert node.state.bystanders[LINK.ifindex].ignored


def test_a_configured_name_is_the_identity() -> None:
    policy = Policy(match=(NicMatch(name="uplink", driver="r8152", mac=LINK.mac),))
    node = watching(policy=policy)

    assert "uplink" == node.state.nics[CONNECTOR].nic


def test_two_nics_never_share_a_name() -> None:
    node = watching(policy=Policy(match=(NicMatch(name="uplink", driver="r8152"),)))
    second = replace(LINK, ifindex=4, device="enx2")
    node.take(LinkSeen(node.at(), second))
    node.read_adapter(second, replace(ADAPTER, connector="pci-0000:00:14.0-usb-0:2"))

    assert {"uplink", "pci-0000:00:14.0-usb-0:2"} == {n.nic for n in node.state.nics.values()}


def test_unreadable_hardware_is_read_again_a_bounded_number_of_times() -> None:
    node = Node()
    node.start()
    node.list_links(LINK)
    node.read_uplinks()
    failed: list[object] = []
    for _ in range(5):
        question = ReadAdapter(LINK.ifindex, LINK.device)
        failed = list(node.take(ReadFailed(node.at(), question, "gone")))
        for wake in [output for output in node.outputs if isinstance(output, Wake)]:
            node.take(TimeReached(node.at(), wake.topic))
            assert [question] == node.asked()

    assert ReadingFailed(f"the hardware behind {LINK.device}", "gone") in failed
    assert any(isinstance(verdict, WatchBegan) for verdict in failed)


def test_a_renamed_bystander_is_read_by_its_new_name() -> None:
    node = Node()
    node.start()
    early = replace(LINK, device="eth0")
    node.take(LinkSeen(node.at(), early))
    node.take(LinkSeen(node.at(), LINK))

    assert [ReadAdapter(LINK.ifindex, LINK.device)] == node.asked()


def test_a_gap_is_told_and_answered_by_a_listing() -> None:
    node = watching()

    told = node.take(SourceGap(node.at(), "rtnetlink", "ENOBUFS"))

    assert [SourceLostMessages("rtnetlink", "ENOBUFS")] == told
    assert [ListLinks(2)] == node.asked()

    told = node.list_links(lost(LINK))

    assert [CarrierLost(CONNECTOR, LINK.device, 1, 1, carrier=False)] == told


def test_the_periodic_listing_wakes_itself() -> None:
    node = watching()
    node.take(TimeReached(node.at(), "listing"))

    assert [ListLinks(2)] == node.asked()
    wakes = [output for output in node.outputs if isinstance(output, Wake)]
    assert ["listing"] == [wake.topic for wake in wakes]
    assert 30 * SECOND_NS < wakes[0].at_boottime_ns


def test_a_link_missing_from_a_listing_went_unobserved() -> None:
    node = watching()
    node.take(SourceGap(node.at(), "rtnetlink", "ENOBUFS"))

    assert [NicGoneUnobserved(CONNECTOR, LINK.device, 3, 1, 1)] == node.list_links()


def test_a_listing_cannot_speak_of_what_came_after_it_was_asked_for() -> None:
    node = watching()
    node.take(TimeReached(node.at(), "listing"))
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))

    told = node.list_links(LINK)  # it was made before the link went

    assert [] == told
    assert node.state.nics[CONNECTOR].link is None
    assert {} == node.state.bystanders


def test_a_link_that_came_after_the_listing_was_asked_for_is_not_gone() -> None:
    node = watching()
    node.take(TimeReached(node.at(), "listing"))
    node.take(LinkSeen(node.at(), flapped(LINK)))

    assert [] == node.list_links()
    assert node.state.nics[CONNECTOR].link is not None


def test_an_answer_to_an_older_listing_is_ignored() -> None:
    node = watching()
    node.take(TimeReached(node.at(), "listing"))
    node.take(TimeReached(node.at(), "listing"))
    node.list_links(LINK)

    assert [] == node.take(LinksListed(node.at(), 2, ()))
    assert node.state.nics[CONNECTOR].link is not None


def test_a_restart_goes_on_counting_on_the_same_netdev() -> None:
    before = watching()
    before.take(LinkSeen(before.at(), flapped(LINK)))
    after = Node()
    after.start(durable(before))

    told = after.list_links(flapped(LINK, times=4))

    assert [NicFound, CarrierLost] == [type(v) for v in told[:2]]
    nic = after.state.nics[CONNECTOR]
    assert (4, 4, 0, 0) == (
        nic.carrier_losses_total,
        nic.flaps_total,
        nic.disconnects_total,
        nic.unobserved_gaps_total,
    )


def test_a_replug_during_a_restart_is_one_disconnect_and_one_gap() -> None:
    before = watching()
    after = Node()
    after.start(durable(before))
    other = replace(LINK, ifindex=8)

    told = after.list_links(other)

    assert [NicGoneUnobserved(CONNECTOR, LINK.device, 3, 1, 1)] == told
    assert isinstance(after.read_adapter(other)[0], NicReturned)


def test_another_netdev_seen_before_the_first_listing_is_the_same_story() -> None:
    before = watching()
    after = Node()
    after.start(durable(before))
    other = replace(LINK, ifindex=8)
    after.take(LinkSeen(after.at(), other))
    told = after.read_adapter(other)

    assert [NicGoneUnobserved, NicReturned] == [type(v) for v in told[:2]]


def test_a_reboot_is_neither_a_disconnect_nor_a_gap() -> None:
    before = watching()
    before.take(LinkSeen(before.at(), flapped(LINK)))
    after = Node()
    after.start(durable(before), boot_id="boot-2")
    fresh = replace(LINK, ifindex=2, carrier_up_count=1, carrier_down_count=0)
    after.list_links(fresh)
    told = after.read_adapter(fresh)

    assert isinstance(told[0], NicFound)
    nic = after.state.nics[CONNECTOR]
    assert (1, 1, 0, 0) == (
        nic.carrier_losses_total,
        nic.flaps_total,
        nic.disconnects_total,
        nic.unobserved_gaps_total,
    )


def test_a_nic_that_is_away_after_a_reboot_stays_known() -> None:
    before = watching()
    after = Node()
    after.start(durable(before), boot_id="boot-2")
    after.list_links(ONBOARD)

    assert CONNECTOR in after.state.nics
    assert after.state.nics[CONNECTOR].link is None


def test_a_device_with_two_interfaces_is_one_nic_and_stays_it() -> None:
    node = watching()
    other = replace(LINK, ifindex=8, device="wwan0")
    node.take(LinkSeen(node.at(), other))
    assert [] == node.read_adapter(other)
    for _ in range(5):
        node.take(TimeReached(node.at(), "listing"))
        node.list_links(LINK, other)
        node.read_adapter()
    nic = node.state.nics[CONNECTOR]

    assert (3, 0, 0) == (
        nic.link and nic.link.ifindex,
        nic.disconnects_total,
        nic.unobserved_gaps_total,
    )


def test_the_second_interface_takes_over_when_the_first_goes() -> None:
    node = watching()
    other = replace(LINK, ifindex=8, device="eth0")
    node.take(LinkSeen(node.at(), other))
    node.read_adapter(other)
    node.take(LinkSeen(node.at(), flapped(other, times=3)))
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))

    assert [ReadAdapter(8, "eth0")] == node.asked()
    assert [NicReturned] == [type(v) for v in node.read_adapter(other)]
    assert 0 == node.state.nics[CONNECTOR].flaps_total


def test_two_plugs_of_one_name_are_two_nics() -> None:
    node = watching()
    other = replace(LINK, ifindex=8, device="enx2", mac="02:00:00:00:00:02")
    node.take(LinkSeen(node.at(), other))
    node.read_adapter(other, replace(ADAPTER, usb_path="1-1"))
    node.take(TimeReached(node.at(), "listing"))
    node.list_links(LINK, other)

    assert {CONNECTOR: 3, f"{CONNECTOR}@1-1": 8} == {
        c: nic.link and nic.link.ifindex for c, nic in node.state.nics.items()
    }


def test_gaps_while_a_listing_is_under_way_ask_for_one_more() -> None:
    node = watching()
    told = []
    for _ in range(100):
        told += node.take(SourceGap(node.at(), "rtnetlink", "ENOBUFS"))

    assert (1, 2) == (len(told), node.state.listing_asked)
    node.list_links(LINK)
    assert ListLinks(3) in node.asked()
    node.list_links(LINK)
    assert 3 == node.state.listing_asked


def test_a_link_that_went_during_the_first_listing_is_no_ghost() -> None:
    node = Node()
    node.start()
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.list_links(LINK)

    assert {} == node.state.bystanders


def test_a_configured_name_goes_with_the_adapter() -> None:
    policy = Policy(match=(NicMatch(name="uplink", mac=LINK.mac),))
    node = watching(policy=policy)
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    elsewhere = replace(ADAPTER, connector="pci-0000:00:14.0-usb-0:2", usb_path="2-2")
    again = replace(LINK, ifindex=5)
    node.take(LinkSeen(node.at(), again))
    node.read_adapter(again, elsewhere)

    assert "uplink" == node.state.nics[elsewhere.connector].nic
    assert [elsewhere.connector] == list(node.state.nics), "it moved, and its history with it"


def test_a_link_that_goes_before_it_was_read_is_forgotten() -> None:
    node = Node()
    node.start()
    node.take(LinkSeen(node.at(), LINK))
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))

    assert [] == node.read_adapter()
    assert {} == node.state.bystanders


def test_each_disconnect_is_told_with_its_number() -> None:
    node = watching()
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    again = replace(LINK, ifindex=5)
    node.take(LinkSeen(node.at(), again))
    node.read_adapter(again)

    told = node.take(LinkGone(node.at(), again.ifindex, again.device))

    assert [NicDisconnected(CONNECTOR, LINK.device, 5, 2)] == told


def test_a_name_given_since_counts_after_a_restart() -> None:
    before = watching()
    after = Node(Policy(match=(NicMatch(name="uplink", driver="r8152"),)))
    after.start(durable(before))
    after.list_links(LINK)

    assert "uplink" == after.state.nics[CONNECTOR].nic


def test_a_name_taken_away_since_is_the_connector_again() -> None:
    before = watching(policy=Policy(match=(NicMatch(name="uplink", driver="r8152"),)))
    after = Node()
    after.start(durable(before))

    assert CONNECTOR == after.state.nics[CONNECTOR].nic


def test_a_nic_that_is_away_does_not_keep_its_name_from_another() -> None:
    before = watching(policy=Policy(match=(NicMatch(name="uplink", driver="r8152"),)))
    away = replace(before.state.nics[CONNECTOR], link=None)
    elsewhere = "pci-0000:00:14.0-usb-0:2"
    present = replace(before.state.nics[CONNECTOR], adapter=replace(ADAPTER, connector=elsewhere))
    for order in ((away, present), (present, away)):
        nics = {nic.adapter.connector: nic for nic in order}
        after = Node(before.policy)
        after.start(Durable("boot-1", nics))

        assert 2 == len({nic.nic for nic in after.state.nics.values()})


def test_a_nic_that_is_ignored_since_is_forgotten() -> None:
    ignore = Policy(ignore=(NicMatch(driver="r8152"),))
    after = Node(ignore)
    after.start(durable(watching()))

    assert {} == after.state.nics

    rebooted = Node(ignore)
    rebooted.start(durable(watching()), boot_id="boot-2")
    rebooted.list_links(LINK)
    rebooted.read_adapter()

    assert {} == rebooted.state.nics
    assert rebooted.state.bystanders[LINK.ifindex].ignored
