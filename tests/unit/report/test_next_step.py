"""Every reason has its next step by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide.health import CHECKS
from agent.model.state import Nic
from agent.report.next_step import NEXT_STEPS, next_step, worst_first
from tests.unit.report.snapshots import a_busy_snapshot


@pytest.fixture
def nics() -> dict[str, Nic]:
    return dict(a_busy_snapshot().state.nics)


def test_every_check_has_one_and_none_is_left_over() -> None:
    assert {check.name for check in CHECKS} == NEXT_STEPS.keys()


@pytest.mark.parametrize("check", NEXT_STEPS)
def test_it_is_a_sentence_with_what_is_known_filled_in(check: str, nics: dict[str, Nic]) -> None:
    uplink = next(nic for nic in nics.values() if nic.nic == "uplink")
    health = uplink.senses.health
    assert health is not None
    ill = replace(uplink, senses=replace(uplink.senses, health=replace(health, checks=(check,))))
    for nic in (ill, replace(ill, link=None)):
        words = next_step(nic) or ""
        assert words.endswith(".")
        assert "{" not in words


def test_there_is_none_for_what_is_well_or_not_judged(nics: dict[str, Nic]) -> None:
    unjudged = next(nic for nic in nics.values() if nic.senses.health is None)

    assert next_step(unjudged) is None


def test_the_worst_stands_first_and_who_is_not_judged_last(nics: dict[str, Nic]) -> None:
    states = [nic.senses.health.state if nic.senses.health else None for nic in worst_first(nics)]

    assert ["down", "degraded", None] == states
