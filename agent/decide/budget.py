"""How many steps a NIC may still take: so many within so long, whatever they led to."""

from __future__ import annotations

from dataclasses import replace

from agent.model.identity import Stamp
from agent.model.policy import STEPS_MAX, Policy
from agent.model.state import Nic


def remaining(nic: Nic, policy: Policy, at: Stamp) -> int:
    """Steps left just now."""
    budget = policy.remediation.budget
    since_ns = at.boottime_ns - budget.within_ns
    return max(0, budget.steps - sum(1 for t in nic.steps_taken if t.boottime_ns > since_ns))


def next_free_ns(nic: Nic, policy: Policy, at: Stamp) -> int:
    """When the oldest step that counts does not count any more."""
    within_ns = policy.remediation.budget.within_ns
    counting = [
        t.boottime_ns for t in nic.steps_taken if t.boottime_ns > at.boottime_ns - within_ns
    ]
    return min(counting, default=at.boottime_ns) + within_ns


def spend(nic: Nic, at: Stamp) -> Nic:
    """Before the step, not after it: what is cut off has been spent as well."""
    return replace(nic, steps_taken=(*nic.steps_taken, at)[-STEPS_MAX:])


def after_reboot(nic: Nic, at: Stamp) -> Nic:
    """The clock that never steps begins anew: how long ago a step was, the other one says.

    Where that was set back, a step seems to lie ahead: then it was just now.
    """

    def anew(taken: Stamp) -> Stamp:
        ago_ns = max(0, at.wall_ns - taken.wall_ns)
        return replace(taken, boottime_ns=at.boottime_ns - ago_ns)

    return replace(nic, steps_taken=tuple(anew(taken) for taken in nic.steps_taken))
