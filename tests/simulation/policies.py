"""What the configuration of a simulated node may say."""

from __future__ import annotations

from random import Random

from agent.model.policy import BudgetPolicy, Mode, NicMatch, Policy, ProbePolicy, RemediationPolicy
from tests.builders import SECOND_NS

_MODES: tuple[Mode, ...] = ("remediate", "remediate", "remediate", "observe")
_MINUTE_NS = 60 * SECOND_NS


def random_policy(dice: Random) -> Policy:
    mode = dice.choice(_MODES)
    interval_ns = dice.choice((2, 5, 5, 10)) * SECOND_NS
    budget = BudgetPolicy(dice.choice((1, 3, 5, 10)), dice.choice((2, 10, 60)) * _MINUTE_NS)
    grace_ns = dice.choice((10, 30, 180)) * SECOND_NS
    settle_ns = dice.choice((10, 20)) * SECOND_NS
    return Policy(
        mode=mode,
        match=(NicMatch(driver="r8152"),),
        probe=ProbePolicy(interval_ns=interval_ns),
        remediation=RemediationPolicy(
            down_grace_ns=grace_ns,
            settle_ns=settle_ns,
            budget=budget,
            aftercare=("k3s-agent.service",) if grace_ns < _MINUTE_NS else (),
        ),
    )
