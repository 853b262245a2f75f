"""Paused: it watches, tells, and does nothing; the pause ends, and outlives a restart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.keeper import durable_of
from agent.model.facts import PauseRequested, ResumeRequested, TimeReached
from agent.model.outputs import Wake
from agent.model.state import Durable
from agent.model.verdicts import NicBeyondRepair, Paused, Resumed, StepWithheld
from tests.builders import LINK
from tests.unit.decide.test_climb import Climber, climber, wedged


def paused(node: Climber, seconds: int = 3600) -> Climber:
    node.take(PauseRequested(node.at(), seconds, "a new cable"))
    return node


def test_paused_it_tells_what_it_would_have_done() -> None:
    node = paused(climber())
    node.log("gave_up")

    assert node.until_a_step(seconds=100) is None
    assert [told for told in node.told if isinstance(told, StepWithheld)]
    (told,) = [told for told in node.told if isinstance(told, Paused)]
    assert (3600, "a new cable") == (told.seconds, told.reason)
    assert {"paused": "paused: a new cable"} == node.state.observe_because


def test_resumed_it_takes_the_step_that_is_due() -> None:
    node = paused(wedged())
    node.until_a_step(seconds=30)
    node.take(ResumeRequested(node.at()))

    assert node.until_a_step(seconds=10) is not None
    assert {} == node.state.observe_because


def test_a_pause_ends_by_itself() -> None:
    node = paused(wedged(), seconds=60)
    (wake,) = [o for o in node.outputs if isinstance(o, Wake) and o.topic == "pause"]
    while node.at().boottime_ns < wake.at_boottime_ns:
        assert not node.actions()
    (told,) = [t for t in node.take(TimeReached(node.at(), "pause")) if isinstance(t, Resumed)]

    assert "the pause is over" == told.reason
    assert node.until_a_step(seconds=10) is not None


def test_the_end_of_a_pause_that_was_replaced_ends_nothing() -> None:
    node = paused(paused(climber(), seconds=1), seconds=3600)
    node.take(TimeReached(node.at(), "pause"))

    assert node.state.pause is not None


def restarted(durable: Durable, boot_id: str) -> Climber:
    again = Climber()
    again.policy = replace(climber().policy)
    again.start(durable, boot_id)
    again.list_links(LINK)
    again.read_adapter(LINK)
    return again


@pytest.mark.parametrize("boot_id", ["boot-1", "boot-2"])
def test_it_outlives_a_restart_and_a_reboot(boot_id: str) -> None:
    node = paused(wedged())
    again = restarted(durable_of(node.state), boot_id)

    assert again.state.pause is not None
    assert again.state.pause.until.wall_ns == (node.state.pause and node.state.pause.until.wall_ns)
    assert {"paused": "paused: a new cable"} == again.state.observe_because


def test_resume_gives_a_nic_without_a_rung_left_another_climb() -> None:
    node = wedged()
    while (action := node.until_a_step(seconds=200)) is not None:
        node.end(action, "failed", "no such device")
    assert [told for told in node.told if isinstance(told, NicBeyondRepair)]
    node.take(ResumeRequested(node.at()))

    assert node.until_a_step(seconds=60) is not None
