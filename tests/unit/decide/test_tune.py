"""The step `tune`, from its reason to its verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model.actions import ActionOutcome, SetUsbPower
from agent.model.facts import (
    ActionEnded,
    AdapterRead,
    LinkGone,
    LinkSeen,
    Stopping,
    TimeReached,
)
from agent.model.identity import Adapter
from agent.model.outputs import Act, ReadAdapter, Wake
from agent.model.policy import NicMatch, Policy
from agent.model.state import Durable
from agent.model.verdicts import (
    StepBegan,
    StepFailed,
    StepTakenBack,
    StepVerified,
    StepWithheld,
    Verdict,
)
from tests.builders import ADAPTER, CONNECTOR, LINK, Node, actions_of, flapped

SUSPENDING = replace(ADAPTER, power_control="auto")
MATCH = (NicMatch(driver="r8152"),)
ACTION = SetUsbPower(
    action_id="tune-3-2-1-2",
    step="tune",
    nic=CONNECTOR,
    ifindex=3,
    device=LINK.device,
    usb_path="2-1",
    device_number=2,
    power_control="on",
)


def node_that_found(adapter: Adapter, policy: Policy) -> tuple[Node, list[Verdict]]:
    node = Node(policy)
    node.start()
    node.list_links(LINK)
    return node, node.read_adapter(LINK, adapter)


def acts(node: Node) -> list[Act]:
    return [output for output in node.outputs if isinstance(output, Act)]


def tuning() -> Node:
    node, _told = node_that_found(SUSPENDING, Policy("remediate", MATCH))
    return node


def end(node: Node, outcome: ActionOutcome, detail: str = "") -> list[Verdict]:
    return node.take(ActionEnded(node.at(), ACTION, outcome, detail))


def test_a_matched_nic_under_autosuspend_is_tuned() -> None:
    node, told = node_that_found(SUSPENDING, Policy("remediate", MATCH))

    assert [Act(ACTION)] == acts(node)
    assert any(isinstance(verdict, StepBegan) for verdict in told)


def test_link_power_management_is_tuned_where_the_port_permits_it() -> None:
    lpm = replace(ADAPTER, lpm_permit="u1_u2")
    node, _told = node_that_found(lpm, Policy("remediate", MATCH))
    action = replace(ACTION, power_control="", lpm_permit="0")

    assert [Act(action)] == acts(node)
    step = node.state.nics[CONNECTOR].step
    assert step is not None
    undo = replace(action, action_id="undo-tune-3-2-1-2", lpm_permit="u1_u2")
    assert undo == step.inverse
    node.take(ActionEnded(node.at(), action, "done", ""))
    told = node.read_adapter(LINK, replace(lpm, lpm_permit="0"))
    assert ["StepVerified"] == [type(verdict).__name__ for verdict in told]


@pytest.mark.parametrize(
    ("adapter", "policy"),
    [
        pytest.param(ADAPTER, Policy("remediate", MATCH), id="autosuspend is off already"),
        pytest.param(SUSPENDING, Policy("remediate", ()), id="not matched"),
        pytest.param(
            SUSPENDING, Policy("remediate", (NicMatch(vendor_id="ffff"),)), id="another is matched"
        ),
        pytest.param(SUSPENDING, Policy("observe", MATCH), id="observe"),
        pytest.param(
            replace(SUSPENDING, power_control=""), Policy("remediate", MATCH), id="unreadable"
        ),
    ],
)
def test_no_action(adapter: Adapter, policy: Policy) -> None:
    node, _told = node_that_found(adapter, policy)

    assert [] == acts(node)


def test_observe_says_what_it_would_have_done_once() -> None:
    node, told = node_that_found(SUSPENDING, Policy("observe", MATCH))

    assert 1 == sum(isinstance(verdict, StepWithheld) for verdict in told)
    assert [] == node.take(LinkSeen(node.at(), LINK))


def test_done_is_not_yet_verified() -> None:
    node = tuning()

    assert [] == end(node, "done")
    assert [ReadAdapter(3, LINK.device)] == node.asked()

    told = node.take(AdapterRead(node.at(), 3, ADAPTER))

    assert [StepVerified(CONNECTOR, LINK.device, "tune", ACTION.action_id)] == told
    assert node.state.nics[CONNECTOR].step is None


def test_no_effect_within_the_deadline_is_a_failure() -> None:
    node = tuning()
    end(node, "done")
    wakes = [o for o in node.outputs if isinstance(o, Wake) and o.topic.startswith("step:")]
    node.take(AdapterRead(node.at(), 3, SUSPENDING))

    told = node.take(TimeReached(node.at(), wakes[0].topic))

    assert ["unverified"] == [v.outcome for v in told if isinstance(v, StepFailed)]
    assert {"tune": 1} == node.state.nics[CONNECTOR].failures_total


@pytest.mark.parametrize("outcome", ["failed", "refused", "busy", "timed_out"])
def test_a_failed_action_is_told_and_not_repeated(outcome: ActionOutcome) -> None:
    node = tuning()

    told = end(node, outcome, "words")

    assert [(outcome, "words")] == [
        (v.outcome, v.detail) for v in told if isinstance(v, StepFailed)
    ]
    node.take(LinkSeen(node.at(), flapped(LINK)))
    assert [] == acts(node)
    assert {"tune": 1} == node.state.nics[CONNECTOR].attempts_total


def test_a_disconnect_ends_the_step_and_a_new_enumeration_begins_anew() -> None:
    node = tuning()

    told = node.take(LinkGone(node.at(), 3, LINK.device))

    assert any(isinstance(verdict, StepFailed) for verdict in told)
    again = replace(LINK, ifindex=7)
    node.take(LinkSeen(node.at(), again))
    node.read_adapter(again, replace(SUSPENDING, device_number=4))
    assert [4] == [action.device_number for action in actions_of(node.outputs)]
    assert [] == end(node, "done"), "the old action's end concerns nobody any more"


def test_a_step_that_a_restart_cut_off_is_looked_after() -> None:
    before = tuning()
    after = Node(Policy("remediate", MATCH))
    after.start(Durable("boot-1", before.state.nics))
    after.list_links(LINK)

    assert ReadAdapter(3, LINK.device) in after.asked()
    assert [] == acts(after)

    told = after.take(AdapterRead(after.at(), 3, ADAPTER))

    assert any(isinstance(verdict, StepVerified) for verdict in told)


def test_a_reboot_forgets_a_step_in_progress() -> None:
    before = tuning()
    after = Node(Policy("remediate", MATCH))
    after.start(Durable("boot-1", before.state.nics), boot_id="boot-2")

    assert after.state.nics[CONNECTOR].step is None


def test_told_in_observe_and_done_once_remediate_is_set() -> None:
    before, _told = node_that_found(SUSPENDING, Policy("observe", MATCH))
    after = Node(Policy("remediate", MATCH))
    after.start(Durable("boot-1", before.state.nics))
    after.list_links(LINK)

    assert [Act(ACTION)] == acts(after)


def test_autosuspend_that_somebody_switches_on_later_is_noticed() -> None:
    node, _told = node_that_found(ADAPTER, Policy("remediate", MATCH))
    node.take(TimeReached(node.at(), "listing"))
    node.list_links(LINK)
    assert ReadAdapter(3, LINK.device) in node.asked()

    node.take(AdapterRead(node.at(), 3, SUSPENDING))

    assert [Act(ACTION)] == acts(node)


def test_a_step_that_never_ends_is_given_up() -> None:
    node = tuning()
    wakes = [o for o in node.outputs if isinstance(o, Wake) and o.topic.startswith("step:")]

    told = node.take(TimeReached(node.at(), wakes[0].topic))

    assert ["timed_out"] == [v.outcome for v in told if isinstance(v, StepFailed)]
    assert [] == end(node, "done")


UNDO = replace(ACTION, action_id="undo-tune-3-2-1-2", power_control="auto")


@pytest.mark.parametrize("phase", ["running", "verifying"])
def test_a_step_that_the_end_cuts_off_is_taken_back(phase: str) -> None:
    node = tuning()
    if phase == "verifying":
        end(node, "done")
    told = node.take(Stopping(node.at(), "received SIGTERM"))

    assert [Act(UNDO)] == acts(node)
    assert any(isinstance(verdict, StepTakenBack) for verdict in told)
    step = node.state.nics[CONNECTOR].step
    assert step is not None
    assert ("undoing", UNDO) == (step.phase, step.inverse)
    assert [] == end(node, "done"), "how the step itself ended is no news any more"

    told = node.take(ActionEnded(node.at(), UNDO, "done", ""))
    assert ["cut off"] == [v.outcome for v in told if isinstance(v, StepFailed)]
    assert node.state.nics[CONNECTOR].step is None


def test_an_inverse_that_fails_is_told() -> None:
    node = tuning()
    node.take(Stopping(node.at(), "received SIGTERM"))
    told = node.take(ActionEnded(node.at(), UNDO, "failed", "Input/output error"))

    assert [("failed", "not taken back: Input/output error")] == [
        (v.outcome, v.detail) for v in told if isinstance(v, StepFailed)
    ]


def test_an_end_without_a_step_takes_nothing_back() -> None:
    node, _told = node_that_found(ADAPTER, Policy("remediate", MATCH))
    node.take(Stopping(node.at(), "received SIGTERM"))

    assert [] == acts(node)
