"""What a climb must survive: other adapters, standstills, evidence that outlives its cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide.climb import REST_SECONDS
from agent.decide.step import REFUSALS_MAX
from agent.model.actions import ActionOutcome, PowerCyclePort, PowerPortOn
from agent.model.facts import (
    ConfigRead,
    LinkGone,
    ProbeEnded,
    ReadFailed,
    ResumeRequested,
    TimeReached,
)
from agent.model.identity import Uplink
from agent.model.outputs import ReadSpeed
from agent.model.policy import BudgetPolicy
from agent.model.verdicts import NicBeyondRepair, StepBegan, StepBlocked, StepFailed
from tests.builders import ADAPTER, CONNECTOR, LINK, lost
from tests.unit.decide.test_climb import (
    DEVICE,
    GENERIC,
    SERVER,
    Climber,
    after_silence,
    climber,
    silent,
    wedged,
    with_remediation,
)
from tests.unit.decide.uplinks import GATEWAY

OTHER = replace(LINK, ifindex=9, device="enx2", mac="00:e0:4c:00:00:02")
OTHER = replace(OTHER, permanent_mac=OTHER.mac)


def begun(node: Climber) -> list[str]:
    return [told.step for told in node.told if isinstance(told, StepBegan)]


def replaced(node: Climber) -> None:
    """Somebody pulls it and plugs in another one."""
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.see(OTHER)
    node.read_adapter(OTHER, replace(ADAPTER, device_number=7))


# --- another adapter --------------------------------------------------------------------------


def test_a_plug_that_a_step_may_have_off_is_switched_on_for_another_adapter_as_well() -> None:
    """The power cycle is with the actor: killed now, it would leave the plug off for good."""
    node = wedged(with_remediation(steps=("port_power",)))
    action = node.until_a_step()
    assert isinstance(action, PowerCyclePort)
    replaced(node)

    (inverse,) = node.actions()
    assert isinstance(inverse, PowerPortOn)
    assert node.nic.step is not None
    assert inverse == node.nic.step.inverse, "it is on record until it has ended"
    assert 10 == node.nic.steps_left

    node.end(action)
    assert node.nic.step is not None, "the step's own end is not the inverse's"
    node.end(inverse)
    node.take(TimeReached(node.at(), "probe"))
    assert node.nic.climb is None


def test_the_other_adapter_gets_no_step_before_that_has_ended() -> None:
    node = wedged(with_remediation(steps=("port_power",)))
    assert node.until_a_step() is not None
    replaced(node)
    node.log("gave_up")
    for _ in range(30):
        node.take(TimeReached(node.at(), "probe"))

    assert ["port_power"] == begun(node)


# --- a machine that stands still ----------------------------------------------------------------


def stands_still(node: Climber, seconds: int) -> None:
    for _ in range(seconds):
        node.at()
    node.take(TimeReached(node.at(), f"climb:{CONNECTOR}"))


def test_a_standstill_is_no_time_that_a_step_had() -> None:
    node = wedged()
    action = node.until_a_step()
    assert action is not None
    stands_still(node, 7 * 3600)
    assert not [told for told in node.told if isinstance(told, StepFailed)], "the actor slept, too"

    node.end(action)
    node.log("usb_reset")
    stands_still(node, 7 * 3600)
    assert not [told for told in node.told if isinstance(told, StepFailed)], "nobody was asked"
    node.probe(answered=True)
    assert "settling" == node.phase


def test_a_step_without_a_word_from_the_actor_ends_all_the_same() -> None:
    node = wedged(with_remediation(steps=("usb_reset",)))
    assert node.until_a_step() is not None
    for _ in range(100):
        node.take(TimeReached(node.at(), "probe"))

    assert ["timed_out"] == [told.outcome for told in node.told if isinstance(told, StepFailed)]


def test_a_carrier_lost_before_a_standstill_has_not_been_lost_for_so_long() -> None:
    node = climber()
    node.see(lost(LINK))
    stands_still(node, 7 * 3600)

    assert node.until_a_step(seconds=170) is None
    assert node.until_a_step(seconds=60) is not None


# --- evidence -----------------------------------------------------------------------------------


def test_a_driver_that_gave_up_is_reset_without_a_carrier_as_well() -> None:
    """Somebody has set it down and up, as one does; a bounce has taken its carrier (F2)."""
    node = wedged()
    node.see(lost(LINK))
    action = node.until_a_step(seconds=10)

    assert action is not None
    assert "usb_reset" == action.step
    while action is not None:
        node.end(action, "failed", "no")
        action = node.until_a_step()
    assert "link_bounce" not in begun(node)


def test_a_driver_that_receives_has_not_given_up() -> None:
    """Without a gateway nobody else could say so: the line in the log would speak for ever."""
    node = climber()
    node.state = replace(
        node.state,
        nics={CONNECTOR: replace(node.nic, senses=replace(node.nic.senses, uplink=None))},
    )
    node.log("gave_up")
    assert "wedged" == node.health
    node.count(rx_packets=1000)
    assert "wedged" == node.health, "nothing arrived"
    node.count(rx_packets=1001)
    assert "healthy" == node.health


# --- bounds -------------------------------------------------------------------------------------


def test_want_of_a_carrier_earns_its_two_steps_once_however_long_it_lasts() -> None:
    node = climber()
    node.see(lost(LINK))
    while (action := node.until_a_step()) is not None:
        node.end(action, "failed", "no")
    for _ in range(4):
        stands_still(node, REST_SECONDS)
        assert node.until_a_step() is None
    assert ["link_bounce", "usb_reset"] == begun(node)
    assert 1 == len([told for told in node.told if isinstance(told, NicBeyondRepair)])

    node.take(ResumeRequested(node.at()))
    assert node.until_a_step() is not None, "somebody wants it tried again"


def test_silence_earns_its_step_once_however_long_it_lasts() -> None:
    node = silent()
    action = after_silence(node)
    assert action is not None
    node.end(action, "failed", "no")
    assert after_silence(node) is None
    stands_still(node, REST_SECONDS)

    assert after_silence(node) is None


def test_a_smaller_budget_holds_for_a_step_that_is_being_asked_about() -> None:
    node = wedged()
    action = node.until_a_step()
    assert action is not None
    node.end(action, "failed", "no")
    while node.phase != "probing":
        node.take(TimeReached(node.at(), "probe"))
    smaller = with_remediation(budget=BudgetPolicy(1, 3_600_000_000_000))
    node.take(ConfigRead(node.at(), "config", "c.yaml", smaller))
    node.answer()

    assert not node.actions()
    assert [told for told in node.told if isinstance(told, StepBlocked)]


def test_what_is_beyond_repair_once_more_after_a_resume_is_told() -> None:
    node = wedged(with_remediation(steps=("usb_reset",)))
    for tried in (1, 2):
        action = node.until_a_step()
        assert action is not None
        node.end(action, "failed", "no")
        assert node.until_a_step() is None
        assert tried == len([told for told in node.told if isinstance(told, NicBeyondRepair)])
        node.take(ResumeRequested(node.at()))


# --- what stands before what --------------------------------------------------------------------


def test_a_full_disk_gives_nobody_up() -> None:
    """Nothing was begun, for an hour; as soon as the disk takes it, the step is taken."""
    node = wedged()
    for minute in range(60):
        action = node.until_a_step(seconds=200)
        assert action is not None
        assert "usb_reset" == action.step
        outcome: ActionOutcome = "refused" if minute < REFUSALS_MAX else "busy"
        node.end(action, outcome, "no durable record: no space left on device")

    assert (10, ()) == (node.nic.steps_left, node.nic.climb.tried if node.nic.climb else None)
    assert not [told for told in node.told if isinstance(told, NicBeyondRepair)]


def test_what_the_world_refuses_for_good_is_passed_over() -> None:
    """port_power on Linux before 6.0: there is no file to write to."""
    node = wedged(with_remediation(steps=("port_power",)))
    while (action := node.until_a_step(seconds=200)) is not None:
        node.end(action, "refused", "no file `disable`")

    assert [told for told in node.told if isinstance(told, NicBeyondRepair)]


def test_a_carrier_that_is_frozen_while_it_is_lost_is_no_carrier() -> None:
    """Its driver heard of the loss, and hears no more of the return: nobody can be asked."""
    node = climber()
    node.see(lost(LINK))
    node.log("interrupt_stopped")
    action = node.until_a_step(seconds=200)

    assert action is not None
    assert "link_bounce" == action.step


def test_registers_that_answer_do_not_stand_before_a_carrier_that_is_lost() -> None:
    node = climber()
    node.take(ReadFailed(node.at(), ReadSpeed(LINK.ifindex, LINK.device), "no answer", hung=True))
    node.see(lost(LINK))
    action = node.until_a_step(seconds=250, registers=True)

    assert action is not None
    assert "link_bounce" == action.step


def test_a_generic_driver_that_stays_does_not_stand_before_a_carrier_that_is_lost() -> None:
    node = climber(adapter=GENERIC)
    node.plug = replace(DEVICE, interfaces=("2-1:2.0", "2-1:2.1"))
    assert node.until_a_step(seconds=100) is None
    assert not [told for told in node.told if isinstance(told, NicBeyondRepair)]
    node.see(lost(LINK))

    assert node.until_a_step(seconds=200) is not None


def test_a_server_that_was_down_already_bears_no_witness() -> None:
    node = climber()
    node.read_uplinks(Uplink(LINK.ifindex, LINK.device, GATEWAY, True, SERVER))
    for answers in (True, False):
        node.probe(answered=True)
        node.take(ProbeEnded(node.at(), LINK.ifindex, SERVER, answers))
    for _ in range(40):
        node.probe(answered=False)
    assert "wedged" == node.health

    assert node.until_a_step(seconds=600) is None


def test_a_plug_that_could_not_be_switched_on_is_switched_on_again_and_again() -> None:
    node = wedged(with_remediation(steps=("port_power",)))
    action = node.until_a_step()
    assert action is not None
    node.end(action, "failed", "Input/output error")
    (inverse,) = node.actions()
    for _ in range(30):
        node.end(inverse, "failed", "Input/output error")
        assert inverse == node.until_a_step(seconds=30)
    node.end(inverse)

    (told,) = [verdict for verdict in node.told if isinstance(verdict, StepFailed)]
    assert "what it had left off is on again" == told.detail


@pytest.mark.parametrize(("packets", "asked"), [(1, True), (0, False)])
def test_without_a_gateway_a_speed_is_asked_for_again_where_packets_arrive(
    packets: int, asked: bool
) -> None:
    node = Climber()
    node.start()
    node.list_links(LINK)
    node.read_adapter(LINK)
    node.read_uplinks()
    node.log()
    node.take(ReadFailed(node.at(), ReadSpeed(LINK.ifindex, LINK.device), "no answer", hung=True))
    questions: list[type] = []
    for second in range(0, 400, 10):
        node.count(rx_packets=1000 + packets * second)
        node.pass_time(9)
        questions += [type(question) for question in node.asked()]

    assert asked == (ReadSpeed in questions)
