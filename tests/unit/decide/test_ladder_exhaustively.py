"""Every sequence of what can happen to a climb: decisions are total, bounded, and come to an end.

The rules that hold after each fact are in ladder_rules.py. More of it, up to all faults in any
sequence of six: NODEMEND_EXHAUSTIVELY=6 make test ARGS="-k exhaustively".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import pytest

from agent.decide import step
from agent.decide.faults import FAULTS
from agent.decide.health import CHECKS
from agent.model.policy import FAULT_KINDS, BudgetPolicy, ProbePolicy, StepName
from tests.builders import SECOND_NS
from tests.unit.decide.climbs import POLICY, Climbing, healthy
from tests.unit.decide.exploring import Moment, check_it_ends, explore, with_few_repetitions
from tests.unit.decide.happenings import (
    ANSWERS,
    COMES,
    ENDINGS,
    PASSES,
    PEOPLE,
    PLUGS,
    RESTARTS,
    TIME,
    Happening,
)
from tests.unit.decide.ladder_rules import obey

DEPTH = int(os.environ.get("NODEMEND_EXHAUSTIVELY", "3"))
MINUTE, HOUR = 60, 3600
CORE: Mapping[str, Happening] = {**ANSWERS, **ENDINGS, **TIME}

_WHOLE_DEVICE: tuple[StepName, ...] = (
    *("usb_reset", "driver_rebind", "usb_config_cycle"),
    *("usb_reauthorize", "port_power"),
)
# What the issue grants each fault, in the order of the ladder.
GRANTED: Mapping[str, tuple[StepName, ...]] = {
    "missing": ("driver_rebind", "usb_config_cycle", "usb_reauthorize", "port_power"),
    "driver_dead": _WHOLE_DEVICE,
    "transmit_hung": _WHOLE_DEVICE,
    "registers_dead": _WHOLE_DEVICE,
    "wrong_driver": ("usb_config_cycle",),
    "lost_name": ("restore_name",),
    "unconfigured": ("renew_addresses",),
    "unaddressed": ("renew_addresses",),
    "unrouted": ("renew_addresses",),
    "carrier_lies": ("link_bounce", *_WHOLE_DEVICE),
    "silent": ("usb_reset",),
    "no_carrier": ("link_bounce", "usb_reset"),
    "slow_link": ("link_bounce",),
    "usb2": ("port_power",),
    "flapping": ("usb_reset",),
}
# With an inverse and without one: what comes in between meets all the rest of them alike.
SOME_STEPS: tuple[StepName, ...] = ("link_bounce", "usb_reset", "port_power")
# What health tells of, and no step could change: somebody's order, an adapter that cannot read its
# own MAC, and errors, which are the cable's.
NOT_ACTED_ON = {"admin_down", "random_mac", "errors"}


@pytest.fixture(autouse=True)
def _few_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    with_few_repetitions(monkeypatch)


def beginning(*faults: str, **changes: object) -> Climbing:
    """A carrier that comes and goes is flapping as well: acted on only where that is meant.

    So with silence: with a probe every 12 s, five without an answer are the minute that it takes.
    """
    kinds = tuple(k for k in FAULT_KINDS if k != "flapping" or "flapping" in faults)
    wanted = replace(POLICY.remediation, act_on=kinds, **changes)  # type: ignore[arg-type]
    probe = ProbePolicy(interval_ns=(12 if "silent" in faults else 2) * SECOND_NS)
    return healthy(obey, replace(POLICY, remediation=wanted, probe=probe))


def alphabet(*faults: str) -> dict[str, Happening]:
    comes = {f"{name} comes": COMES[name] for name in faults}
    passes = {f"{name} passes": PASSES[name] for name in faults}
    return {**comes, **passes}


# --- every sequence -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", COMES)
def test_each_fault_with_every_answer_and_ending(fault: str) -> None:
    moments = explore({**alphabet(fault), **CORE}, beginning(fault))
    taken = {moment.point.nic.step.step for moment in moments if moment.point.nic.step}

    assert set(GRANTED[fault]) == taken, "each step has its turn once those before it fail"
    check_no_dead_state(fault, moments)


@pytest.mark.parametrize("fault", ["driver_dead", "no_carrier"])
def test_restarts_and_reboots_in_between(fault: str) -> None:
    moments = explore({**alphabet(fault), **CORE, **RESTARTS}, beginning(fault, steps=SOME_STEPS))

    check_no_dead_state(fault, moments)


@pytest.mark.parametrize("fault", ["driver_dead"])
@pytest.mark.parametrize(
    "names",
    [("paused", "resumed"), ("observe", "remediate"), ("set down", "set up"), ("named no more",)],
    ids=" and ".join,
)
def test_people_in_between(fault: str, names: tuple[str, ...]) -> None:
    some = {name: PEOPLE[name] for name in names}
    moments = explore({**alphabet(fault), **CORE, **some}, beginning(fault, steps=SOME_STEPS))

    assert set(names) <= {name for moment in moments for name in moment.ways_on}


@pytest.mark.parametrize("fault", ["driver_dead", "no_carrier"])
def test_other_interfaces_and_adapters_in_between(fault: str) -> None:
    everything = {**alphabet(fault), **CORE, **PLUGS}
    moments = explore(everything, beginning(fault, steps=SOME_STEPS), depth=DEPTH + 4)

    assert any(moment.phase == "stepping" for moment in moments)


def test_a_budget_of_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "REFUSALS_MAX", 1)
    budget = BudgetPolicy(steps=1, within_ns=600 * SECOND_NS)
    some = {**alphabet("driver_dead"), **CORE, "rebooted": RESTARTS["rebooted"]}
    moments = explore(some, beginning("driver_dead", budget=budget))

    assert any(moment.told == "budget" for moment in moments)
    check_no_dead_state("driver_dead", moments)


def test_one_fault_on_top_of_another() -> None:
    faults = [name for name in COMES if name != "flapping"]
    everything = {**alphabet(*faults), **CORE, **RESTARTS, **PEOPLE, **PLUGS}

    assert len(explore(everything, beginning("silent"), depth=DEPTH)) > len(faults) ** 2


def check_no_dead_state(fault: str, moments: list[Moment]) -> None:
    """From wherever it has come to, whatever the world does from now on, it comes to an end."""
    answers = ("plug: it", "gateway: silent", "server: silent", "registers: hang")

    def nobody_answers(_moment: Moment) -> tuple[str, ...]:
        return ("time",)

    def no_step_helps(_moment: Moment) -> tuple[str, ...]:
        return (*answers, "action: done", "time")

    def all_is_well(moment: Moment) -> tuple[str, ...]:
        health = moment.point.nic.senses.health
        passes = (f"{fault} passes",) if health and health.speaking else ()
        return (*passes, "action: done", "gateway: answers", "registers: answer", "time")

    at_rest = (None, "waiting", "resting", "settling")
    check_it_ends(moments, nobody_answers, at_rest, 10 * MINUTE)
    check_it_ends(moments, no_step_helps, (None, "resting", "settling"), 2 * HOUR)
    check_it_ends(moments, all_is_well, (None,), 2 * HOUR)


# --- the tables ---------------------------------------------------------------------------------


def test_the_table_grants_what_the_issue_grants() -> None:
    assert {fault.name: fault.steps for fault in FAULTS} == dict(GRANTED)
    assert set(COMES) == set(PASSES) == set(GRANTED)


def test_each_check_of_health_has_a_row() -> None:
    rows = {check for fault in FAULTS for check in fault.checks}
    assert {check.name for check in CHECKS} == rows | NOT_ACTED_ON
