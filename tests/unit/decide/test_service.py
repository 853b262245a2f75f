"""The daemon's own life: crash loops, a lost state, configurations, sources."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide import permission
from agent.keeper import durable_of
from agent.model.facts import (
    ConfigRead,
    ConfigReadFailed,
    SourceChanged,
    Stopping,
    StoreSpoiled,
    TimeReached,
)
from agent.model.outputs import Act, Wake
from agent.model.policy import NicMatch, Policy
from agent.model.state import Durable
from agent.model.verdicts import (
    ConfigRefused,
    ConfigReloaded,
    ObserveForced,
    ObserveLifted,
    SourceFailed,
    SourceRecovered,
    StateSetAside,
    StepWithheld,
    WatchEnded,
)
from tests.builders import ADAPTER, LINK, SECOND_NS, Node

REMEDIATE = Policy("remediate", (NicMatch(driver="r8152"),))
SUSPENDING = replace(ADAPTER, power_control="auto")


def started(restored: Durable | None, policy: Policy = REMEDIATE, minutes: int = 0) -> Node:
    node = Node(policy)
    for _ in range(minutes * 60):
        node.at()
    node.start(restored)
    return node


def find_the_nic(node: Node) -> bool:
    """Whether a step that is due is begun."""
    node.list_links(LINK)
    node.read_adapter(LINK, SUSPENDING)
    return any(isinstance(output, Act) for output in node.outputs)


def crashed(*, minutes_apart: int) -> Node:
    """A daemon that was started anew three times without having ended in between."""
    node = started(None)
    for number in range(1, 4):
        node = started(durable_of(node.state), minutes=number * minutes_apart)
    return node


def test_the_third_start_without_an_end_observes() -> None:
    node = crashed(minutes_apart=1)

    (forced,) = (verdict for verdict in node.verdicts if isinstance(verdict, ObserveForced))
    assert "3 starts without an orderly end within 10 minutes" == forced.reason
    assert not find_the_nic(node)
    assert "observe" == permission.mode_in_force(node.state, REMEDIATE)
    assert any(isinstance(verdict, StepWithheld) for verdict in node.verdicts)


def test_three_crashes_in_half_an_hour_are_no_loop() -> None:
    node = crashed(minutes_apart=10)

    assert not any(isinstance(verdict, ObserveForced) for verdict in node.verdicts)
    assert find_the_nic(node)


def test_after_an_orderly_end_it_acts_again() -> None:
    node = crashed(minutes_apart=1)
    node.take(Stopping(node.at(), "received SIGTERM"))
    again = started(durable_of(node.state), minutes=5)

    assert not any(isinstance(verdict, ObserveForced) for verdict in again.verdicts)
    assert find_the_nic(again)


def test_orderly_restarts_are_no_crashes() -> None:
    node = started(None)
    for number in range(1, 6):
        assert any(isinstance(v, WatchEnded) for v in node.take(Stopping(node.at(), "SIGTERM")))
        node = started(durable_of(node.state), minutes=number)

    assert {} == node.state.observe_because


def test_what_was_spent_of_a_lost_state_counts_as_spent_for_one_window() -> None:
    node = started(None)
    told = node.take(StoreSpoiled(node.at(), "/var/lib/nodemend/state.json.set-aside", "damaged"))

    assert [StateSetAside, ObserveForced] == [type(verdict) for verdict in told]
    (wake,) = (output for output in node.outputs if isinstance(output, Wake))
    assert permission.BUDGET_WINDOW_SECONDS * SECOND_NS == wake.at_boottime_ns - 2 * SECOND_NS
    assert not find_the_nic(node)

    lifted = node.take(TimeReached(node.at(), wake.topic))
    assert [ObserveLifted] == [type(verdict) for verdict in lifted]
    assert find_the_nic(node)


def test_in_mode_observe_a_lost_state_withholds_nothing_worth_telling() -> None:
    node = started(None, Policy())
    told = node.take(StoreSpoiled(node.at(), "state.json.set-aside", "damaged"))

    assert [StateSetAside] == [type(verdict) for verdict in told]
    assert [] == node.take(TimeReached(node.at(), permission.TOPIC))


def test_a_refused_configuration_is_told_and_remembered_until_a_good_one() -> None:
    node = started(None)
    problems = ("/etc/nodemend/config.yaml:3: mode: expected observe or remediate, found 'on'",)
    failed = ConfigReadFailed(node.at(), "config", "/etc/nodemend/config.yaml", problems)

    assert [ConfigRefused("/etc/nodemend/config.yaml", problems)] == node.take(failed)
    assert {"config": problems} == node.state.config_problems
    before = node.state.config_read_wall_ns["config"]
    read = ConfigRead(node.at(), "config", "/etc/nodemend/config.yaml", Policy())
    (reloaded,) = node.take(read)
    assert ConfigReloaded("/etc/nodemend/config.yaml", "observe", ()) == reloaded
    assert {} == node.state.config_problems
    assert before < node.state.config_read_wall_ns["config"]


def test_a_web_configuration_is_told_of_and_changes_no_policy() -> None:
    node = started(None)
    (told,) = node.take(ConfigRead(node.at(), "web_config", "/etc/nodemend/web.yaml", None))

    assert ConfigReloaded("/etc/nodemend/web.yaml", "remediate", ()) == told


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [("it hangs", SourceFailed("store", "it hangs")), (None, SourceRecovered("store"))],
)
def test_a_source_that_changes_is_told_of(
    failure: str | None, verdict: SourceFailed | SourceRecovered
) -> None:
    node = started(None)

    assert [verdict] == node.take(SourceChanged(node.at(), "store", failure))
