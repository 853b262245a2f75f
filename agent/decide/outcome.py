"""What a step came to: verified, link only, or failed; and what follows from it."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import replace

from agent.decide import incident
from agent.decide.decision import SECOND_NS, NicDecision
from agent.decide.faults import BY_NAME
from agent.model.identity import Stamp
from agent.model.outputs import Output, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import RECOVERY_SECONDS, Climb, Nic, Recoveries, StepInProgress
from agent.model.verdicts import NicLinkOnly, NicRecovered, StepFailed, StepVerified

HOLD_OFF_SECONDS = 2  # from a step that did not help to the next


def verified(
    nic: Nic, climb: Climb, step: StepInProgress, policy: Policy, at: Stamp
) -> NicDecision:
    """It helped, by what was seen since."""
    seconds = max(0, at.boottime_ns - climb.began_ns) // SECOND_NS
    device, words = device_of(nic), BY_NAME[climb.fault].words
    nic = replace(
        nic,
        recoveries_total=one_more(nic.recoveries_total, step.step),
        recoveries=_with_one(nic.recoveries, at.boottime_ns - climb.began_ns),
    )
    nic = incident.judge(incident.end_step(nic, "verified", ""), "recovered", words, at)
    nic, settles = _settle(nic, climb, policy, at)
    told = StepVerified(nic.nic, device, step.step, step.action_id)
    return nic, (
        Tell(told),
        Tell(NicRecovered(nic.nic, device, step.step, words, seconds)),
        settles,
    )


def link_only(
    nic: Nic, climb: Climb, step: StepInProgress, why: str, policy: Policy, at: Stamp
) -> NicDecision:
    """The link is as it should be, and further steps would not move whoever is ill behind it."""
    nic = incident.end_step(nic, "link_only", why)
    nic = incident.judge(nic, "link_only", BY_NAME[climb.fault].words, at)
    nic, settles = _settle(nic, climb, policy, at)
    return nic, (Tell(NicLinkOnly(nic.nic, device_of(nic), step.step, why)), settles)


def failed(nic: Nic, outcome: str, detail: str, at: Stamp) -> NicDecision:
    """No help: in a moment the next rung."""
    step, climb = nic.step, nic.climb
    if step is None or climb is None:
        return nic, ()
    told = StepFailed(nic.nic, device_of(nic), step.step, step.action_id, outcome, detail)
    nic = replace(nic, step=None, failures_total=one_more(nic.failures_total, step.step))
    nic = incident.end_step(nic, outcome, detail)
    nic = to_next(nic, climb, at)
    return nic, (Tell(told), wake(nic, nic.climb or climb))


def to_next(nic: Nic, climb: Climb, at: Stamp) -> Nic:
    """The step is over; in a moment the next rung."""
    due_ns = at.boottime_ns + HOLD_OFF_SECONDS * SECOND_NS
    return replace(nic, climb=replace(climb, phase="waiting", due_ns=due_ns, awaits=()))


def _settle(nic: Nic, climb: Climb, policy: Policy, at: Stamp) -> tuple[Nic, Output]:
    due_ns = at.boottime_ns + policy.remediation.settle_ns
    climb = replace(climb, phase="settling", due_ns=due_ns)
    nic = replace(nic, step=None, climb=climb)
    return nic, wake(nic, climb)


def wake(nic: Nic, climb: Climb) -> Wake:
    """When the climb is to be looked at again."""
    return Wake(climb.due_ns, topic(nic))


def topic(nic: Nic) -> str:
    """What its climb wakes up by."""
    return f"climb:{nic.adapter.connector}"


def device_of(nic: Nic) -> str:
    """What its interface is called; nothing where it has none."""
    return nic.link.device if nic.link is not None else ""


def _with_one(recoveries: Recoveries, lasted_ns: int) -> Recoveries:
    lasted_ns = max(0, lasted_ns)
    bucket = bisect.bisect_left(RECOVERY_SECONDS, lasted_ns / SECOND_NS)
    counts = tuple(n + (i == bucket) for i, n in enumerate(recoveries.counts))
    return Recoveries(counts, recoveries.total_ns + lasted_ns)


def one_more(totals: Mapping[str, int], step: str) -> Mapping[str, int]:
    """Counted."""
    return {**totals, step: totals.get(step, 0) + 1}
