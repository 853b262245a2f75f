"""How a NIC is judged: each state by its evidence, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.decide.health import CHECKS
from agent.keeper import durable_of
from agent.model.facts import LinkGone, LinkSeen, ReadFailed, SpeedRead
from agent.model.identity import Uplink
from agent.model.outputs import ReadSpeed
from agent.model.state import HEALTH_STATES
from agent.model.verdicts import (
    NicDegraded,
    NicDisabled,
    NicDown,
    NicFlapping,
    NicGone,
    NicHealthy,
    NicWedged,
)
from agent.report import catalog
from tests.builders import ADAPTER, LINK, Node, flapped, lost, returned
from tests.unit.decide.uplinks import GATEWAY, UplinkNode, stranger, uplink_node

USB2 = replace(ADAPTER, usb_path="1-1", companion_path="2-1", usb_speed_bits=480_000_000)
AGAIN = replace(LINK, ifindex=9)
ADDRESSED = Uplink(
    LINK.ifindex,
    LINK.device,
    GATEWAY,
    default_route=True,
    addressed=True,
    network_service="networkd",
)
UNADDRESSED = replace(ADDRESSED, gateway=None, default_route=False, addressed=False)
UNROUTED = replace(ADDRESSED, gateway=None, default_route=False)
GENERIC = replace(ADAPTER, driver="cdc_ncm")
NO_MAC = replace(ADAPTER, mac_assignment=1)


@pytest.fixture
def node() -> UplinkNode:
    return uplink_node()


def replug(node: UplinkNode, adapter: object) -> None:
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.see(AGAIN)
    for _ in range(2):
        node.at()
    node.read_adapter(AGAIN, adapter)  # type: ignore[arg-type]


def test_a_good_one_is_healthy_and_told_once(node: UplinkNode) -> None:
    assert "healthy" == node.health
    assert "" == node.evidence
    assert [] == node.pass_time(5)


# Name of the check, what brings it about, the words, the verdict.
SCENES: dict[str, tuple[Callable[[UplinkNode], object], str, type]] = {
    "missing": (
        lambda n: n.take(LinkGone(n.at(), LINK.ifindex, LINK.device)),
        "there is no network interface at pci-0000:00:14.0-usb-0:1",
        NicGone,
    ),
    "admin_down": (
        lambda n: n.see(replace(LINK, admin_up=False, carrier=False)),
        "it is administratively down",
        NicDisabled,
    ),
    "no_carrier": (lambda n: n.see(lost(LINK)), "it is set up and has no carrier", NicDown),
    "driver_gave_up": (
        lambda n: n.log("control_error", "usb_reset", "gave_up"),
        'its driver gave up, and was not reset or bound since: "says gave_up"',
        NicWedged,
    ),
    "tx_timeout": (lambda n: n.count(tx_timeouts=1), "transmit watchdog fired", NicWedged),
    "silence": (
        lambda n: [n.probe(answered=False) for _ in range(31)],
        "192.168.77.1 used to answer on this NIC",
        NicWedged,
    ),
    "unaddressed": (
        lambda n: [n.read_uplinks(ADDRESSED), n.read_uplinks(UNADDRESSED), n.pass_time(20)],
        "it has a carrier and no address: it lost its addresses while its carrier stayed; networkd",
        NicWedged,
    ),
    "unconfigured": (
        lambda n: [n.read_uplinks(replace(UNADDRESSED, given_up=True)), n.pass_time(5)],
        "networkd failed to configure it, and left it so: it has a carrier and no address",
        NicWedged,
    ),
    "unrouted": (
        lambda n: [n.read_uplinks(ADDRESSED), n.read_uplinks(UNROUTED), n.pass_time(15)],
        "it has an address, and the node's default route, which went by it, is gone",
        NicWedged,
    ),
    "flapping": (lambda n: n.see(flapped(LINK, 3)), "3 flaps within 300 s", NicFlapping),
    "slow_link": (
        lambda n: [
            n.see(lost(LINK)),
            n.see(returned(lost(LINK))),
            n.take(SpeedRead(n.at(), LINK.ifindex, 1_000_000_000)),
        ],
        "the link runs at 1000 Mb/s, expected are 2500",
        NicDegraded,
    ),
    "usb2": (lambda n: replug(n, USB2), "it fell back to USB 2: 480 Mb/s", NicDegraded),
    "wrong_driver": (
        lambda n: replug(n, GENERIC),
        "driver cdc_ncm is bound where r8152 belongs",
        NicDegraded,
    ),
    "lost_name": (
        lambda n: n.see(replace(LINK, device="eth0")),
        "it is called eth0, and was enx6c1ff71be8c8",
        NicDegraded,
    ),
    "random_mac": (lambda n: replug(n, NO_MAC), "is made up", NicDegraded),
    "interrupt_stopped": (
        lambda n: n.log("interrupt_stopped"),
        "its driver hears no more of link changes",
        NicDegraded,
    ),
    "control_errors": (
        lambda n: n.log("control_error"),
        'its registers cannot be read: "says control_error"',
        NicDegraded,
    ),
    "speed_unanswered": (
        lambda n: n.take(
            ReadFailed(n.at(), ReadSpeed(LINK.ifindex, LINK.device), "no answer", hung=True)
        ),
        "the driver did not answer",
        NicDegraded,
    ),
    "errors": (
        lambda n: [n.pass_time(12), n.count(tx_errors=20)],
        "20 transmit and 0 receive errors beside 0 packets",
        NicDegraded,
    ),
}


@pytest.mark.parametrize("name", SCENES)
def test_each_check_speaks(node: UplinkNode, name: str) -> None:
    bring_about, words, verdict = SCENES[name]
    state = next(check.state for check in CHECKS if check.name == name)
    node.told.clear()
    bring_about(node)
    node.pass_time(4)

    assert state == node.health
    assert words in node.evidence
    (judged,) = [v for v in node.told if isinstance(v, verdict)]
    assert words in catalog.line(judged)


def test_every_check_has_a_scene() -> None:
    assert {check.name for check in CHECKS} == set(SCENES)
    assert [c.state for c in CHECKS] == sorted(
        (c.state for c in CHECKS), key=HEALTH_STATES.index
    ), "the table reads from the worst down"


def test_what_passes_within_a_moment_is_not_told(node: UplinkNode) -> None:
    node.told.clear()
    node.see(lost(LINK))
    assert "down" == node.health, "the metric has it at once"
    node.see(returned(lost(LINK)))
    node.pass_time(3)

    assert not [v for v in node.told if isinstance(v, (NicDown, NicHealthy))]


def test_the_worst_state_counts_and_all_evidence_is_told(node: UplinkNode) -> None:
    node.log("interrupt_stopped")
    node.see(lost(LINK))
    node.pass_time(2)

    assert "down" == node.health
    assert "it is set up and has no carrier" in node.evidence


@pytest.mark.parametrize("lifted_by", ["usb_reset", "usb_disconnect", "driver_bound"])
def test_what_the_log_says_later_counts(node: UplinkNode, lifted_by: str) -> None:
    node.log("gave_up", "interrupt_stopped", lifted_by)  # type: ignore[arg-type]
    assert "healthy" == node.health

    node.log("gave_up")
    assert "wedged" == node.health
    node.log(lifted_by)  # type: ignore[arg-type]
    assert "healthy" == node.health


def test_the_gateways_answer_proves_that_packets_pass(node: UplinkNode) -> None:
    node.log("gave_up")
    node.count(tx_timeouts=1)
    assert "wedged" == node.health
    node.at()
    node.probe(answered=True)

    assert "healthy" == node.health


def test_a_driver_that_hears_again_of_a_change_is_well(node: UplinkNode) -> None:
    node.log("interrupt_stopped")
    node.see(lost(LINK))
    node.see(returned(lost(LINK)))

    assert "healthy" == node.health


def test_timeouts_from_before_the_first_look_are_no_alarm() -> None:
    node = stranger()
    node.count(tx_timeouts=7)
    node.count(tx_timeouts=7)

    assert "healthy" == node.health


@pytest.mark.parametrize(
    ("gone", "seconds", "words"),
    [
        (UNADDRESSED, 20, "it lost its addresses while its carrier stayed"),
        (UNROUTED, 10, "the node's default route, which went by it, is gone"),
    ],
    ids=["address", "default route"],
)
def test_what_was_there_before_the_nic_was_known_was_there(
    gone: Uplink, seconds: int, words: str
) -> None:
    """When the uplinks are read is no matter of the NIC's: that may be before it is identified."""
    node = UplinkNode()
    node.start()
    node.list_links(LINK)
    node.read_uplinks(ADDRESSED)
    node.read_adapter(LINK, ADAPTER)
    node.read_uplinks(gone)
    node.pass_time(seconds)

    assert words in node.evidence


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(lambda n: n.read_uplinks(replace(UNROUTED, gateway_elsewhere=True)), id="now"),
        pytest.param(
            lambda n: [
                n.read_uplinks(replace(UNROUTED, gateway_elsewhere=True)),
                n.read_uplinks(UNROUTED),
            ],
            id="and then no more",
        ),
    ],
)
def test_a_default_route_that_went_to_another_device_is_not_missed(
    node: UplinkNode, elsewhere: Callable[[UplinkNode], object]
) -> None:
    node.read_uplinks(ADDRESSED)
    elsewhere(node)
    node.pass_time(60)

    assert "healthy" == node.health


def test_a_default_route_that_does_not_come_back_with_the_carrier_is_missed(
    node: UplinkNode,
) -> None:
    node.read_uplinks(ADDRESSED)
    node.see(lost(LINK))
    node.pass_time(60)
    assert "default route" not in node.evidence
    node.see(returned(lost(LINK)))
    node.read_uplinks(UNROUTED)
    node.pass_time(15)
    assert "the node's default route, which went by it, is gone" in node.evidence
    node.read_uplinks(ADDRESSED)

    assert "healthy" == node.health


def test_a_driver_whose_interface_was_set_up_anew_listens_again(node: UplinkNode) -> None:
    """r8152's ndo_open submits the interrupt URB; the counts may stay as they were."""
    node.see(replace(LINK, admin_up=False))
    node.log("interrupt_stopped")
    node.see(LINK)

    assert "healthy" == node.health


def test_errors_pass(node: UplinkNode) -> None:
    node.pass_time(12)
    node.count(tx_errors=20)
    assert "degraded" == node.health
    node.pass_time(61)

    assert "healthy" == node.health


def test_a_nic_that_concerns_nobody_is_not_judged() -> None:
    node = Node()
    node.start()
    node.list_links(lost(LINK))
    node.read_uplinks()
    told = [type(v).__name__ for v in node.read_adapter(lost(LINK))]

    assert "NicDown" not in told
    assert all(nic.senses.health is None for nic in node.state.nics.values())


def asked_for_the_speed(node: Node) -> bool:
    return any(isinstance(question, ReadSpeed) for question in node.asked())


def test_the_speed_is_asked_for_once_per_carrier(node: UplinkNode) -> None:
    def asked() -> bool:
        return asked_for_the_speed(node)

    node.pass_time(3)
    assert not asked()
    node.take(LinkSeen(node.at(), lost(LINK)))
    assert not asked()
    node.log("control_error")
    node.take(LinkSeen(node.at(), returned(lost(LINK))))
    assert not asked(), "the adapter is in trouble"
    node.pass_time(31)
    assert asked()
    node.pass_time(3)
    assert not asked()


def test_nobody_is_asked_before_the_kernels_log_is_taken_in() -> None:
    node = stranger(log=False)
    node.pass_time(5)
    assert not asked_for_the_speed(node)
    node.log()

    assert asked_for_the_speed(node)


def test_a_restart_is_no_new_carrier(node: UplinkNode) -> None:
    after = stranger(durable_of(node.state))
    assert not asked_for_the_speed(after)
    assert 2_500_000_000 == after.nic.speed_bits
    after.see(flapped(LINK))

    assert asked_for_the_speed(after)


def test_a_reboot_is_a_new_carrier(node: UplinkNode) -> None:
    after = stranger(durable_of(node.state), "boot-2")

    assert after.nic.speed_bits is None
    assert asked_for_the_speed(after)


def test_what_an_answer_has_settled_stays_settled(node: UplinkNode) -> None:
    node.log("gave_up")
    node.count(tx_timeouts=1)
    node.at()
    node.probe(answered=True)
    again = returned(lost(LINK))
    node.see(lost(LINK))
    node.see(again)

    assert "healthy" == node.health
    assert "healthy" == stranger(durable_of(node.state), link=again).health, "after a restart too"
