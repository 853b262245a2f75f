"""One NIC on the ladder, one NIC at a time.

    waiting --due--> probing --the fault is still there--> stepping --verdict--> settling --> (end)
       ^                |                                      |                    |
       +--not so--------+        +--------no effect------------+       the fault is back
       +-------------------------+------------------------------------------+
    no rung is left: resting, until it is well again or has rested for long

Each phase looks at the NIC as it is, whatever led there: facts may come in any order, and a
restart may cut off anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from agent.decide import budget, incident, outcome, raising, reach, reprobe, step
from agent.decide.decision import SECOND_NS, Decision, NicDecision
from agent.decide.faults import BY_NAME, REGISTERS, Fault, fault_of
from agent.decide.ladder import BY_STEP, next_rung
from agent.decide.links import with_nic
from agent.decide.matching import is_matched
from agent.model.identity import Stamp
from agent.model.outputs import Ask, Output, ReadSpeed, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Climb, Nic, State
from agent.model.verdicts import NicBeyondRepair, StepBlocked, StepWithheld

ANSWER_SECONDS = 20  # a control transfer takes 5 s to fail (USB_CTRL_GET_TIMEOUT)
AGAIN_SECONDS = 15  # where nobody knows, or the NIC shows that it lives
OTHER_SECONDS = 2  # where another NIC is on the ladder
WITHHELD_SECONDS = 600
REST_SECONDS = 6 * 3600


def look(before: State, after: State, policy: Policy, at: Stamp, *, time_passed: bool) -> Decision:
    """Go on with each NIC that a fact has changed; with all, as time passes."""
    if not after.watch_told:
        return after, ()
    outputs: list[Output] = []
    for connector, nic in tuple(after.nics.items()):
        if time_passed or nic is not before.nics.get(connector):
            others = (o for c, o in after.nics.items() if c != connector)
            alone = not any(o.climb and o.climb.phase in ("probing", "stepping") for o in others)
            looked_at, more = _look(nic, policy, at, alone=alone)
            looked_at, asked = incident.follow(looked_at, policy, at)
            outputs.extend((*more, *asked))
            if looked_at is not nic:
                after = with_nic(after, looked_at)
    return after, tuple(outputs)


def _look(nic: Nic, policy: Policy, at: Stamp, *, alone: bool) -> NicDecision:
    if nic.link is not None and not nic.confirmed:
        return nic, ()
    if nic.climb is not None and nic.climb.phase == "stepping":
        return step.look(nic, policy, at)
    mac = nic.link.mac if nic.link is not None else nic.permanent_mac
    if nic.step is not None:
        return nic, ()
    if not is_matched(policy, nic.adapter, mac):
        # A reload may say so in the middle: it must not keep the others off the ladder.
        return replace(
            incident.close(nic, at), climb=None, steps_left=None
        ) if nic.climb else nic, ()
    if nic.climb is not None and nic.climb.tried and policy.mode == "remediate":
        raised, outputs = raising.set_up(nic, nic.climb, at)  # also long after the step
        if outputs:
            again_ns = at.boottime_ns + raising.RAISE_AGAIN_SECONDS * SECOND_NS
            wake = Wake(max(nic.climb.due_ns, again_ns), outcome.topic(nic))
            return raised, (*outputs, wake)
    left = budget.remaining(nic, policy, at)
    if nic.steps_left != left:
        nic = replace(nic, steps_left=left)
    fault = fault_of(nic, policy)
    if nic.climb is None:
        if fault is None:
            return nic, ()
        now_ns = at.boottime_ns
        climb = Climb(fault.name, "waiting", now_ns, now_ns)
        return _go(nic, climb, at, fault.grace_ns(policy) + _jitter_ns(nic, fault))
    is_due = at.boottime_ns >= nic.climb.due_ns or _was_withheld(nic.climb, policy)
    if not alone and nic.climb.phase == "waiting" and is_due:
        return _go(nic, nic.climb, at, OTHER_SECONDS * SECOND_NS)  # one ladder at a time
    return _PHASES[nic.climb.phase](nic, nic.climb, fault, policy, at)


def _waiting(nic: Nic, climb: Climb, fault: Fault | None, policy: Policy, at: Stamp) -> NicDecision:
    if fault is None:
        return _subsided(nic, climb, policy, at)
    if fault.name != climb.fault:
        wait_ns = fault.grace_ns(policy) + _jitter_ns(nic, fault)
        return _go(nic, replace(climb, fault=fault.name, told=""), at, wait_ns)
    is_withheld = _was_withheld(climb, policy)
    if at.boottime_ns < climb.due_ns and not is_withheld:
        return nic, ()
    if not is_withheld and at.boottime_ns - climb.due_ns >= step.PAUSED_SECONDS * SECOND_NS:
        # The machine stood still meanwhile: what it saw before that did not last for so long.
        return _go(nic, climb, at, fault.grace_ns(policy) + _jitter_ns(nic, fault))
    if policy.mode == "remediate" and nic.steps_left == 0:
        return _blocked(nic, climb, policy, at)
    questions = reprobe.questions(nic, fault, policy)
    if questions is None:
        return _go(nic, climb, at, AGAIN_SECONDS * SECOND_NS)
    told = "" if is_withheld else climb.told
    probing = replace(
        climb,
        phase="probing",
        told=told,
        awaits=tuple(questions),
        plug=None,
        alive=False,
        registers_asked=False,
    )
    nic, wakes = _go(nic, probing, at, ANSWER_SECONDS * SECOND_NS)
    return nic, (*questions.values(), *wakes)


def _was_withheld(climb: Climb, policy: Policy) -> bool:
    """It was only told what would be done, until now: the mode has changed."""
    return climb.told in BY_STEP and policy.mode == "remediate"


def _jitter_ns(nic: Nic, fault: Fault) -> int:
    """By the MAC: the same at each start, another on each node."""
    if not fault.jitter_seconds:
        return 0
    octets = nic.permanent_mac.replace(":", "")[-4:] or "0"
    return int(octets, 16) % fault.jitter_seconds * SECOND_NS


def _probing(nic: Nic, climb: Climb, fault: Fault | None, policy: Policy, at: Stamp) -> NicDecision:
    if fault is None or fault.name != climb.fault:
        return _waiting(nic, replace(climb, phase="waiting"), fault, policy, at)
    if climb.awaits and at.boottime_ns < climb.due_ns:
        return nic, ()
    plug = climb.plug
    if climb.awaits or climb.alive or reprobe.is_somebody_elses(nic, plug):
        again = replace(climb, phase="waiting", awaits=())
        return _go(nic, again, at, AGAIN_SECONDS * SECOND_NS)
    link = nic.link
    if fault.registers and not climb.registers_asked and policy.mode == "remediate" and link:
        reading = replace(climb, awaits=(REGISTERS,), registers_asked=True)
        nic, wakes = _go(nic, reading, at, ANSWER_SECONDS * SECOND_NS)
        return nic, (Ask(ReadSpeed(link.ifindex, link.device)), *wakes)
    found = next_rung(fault, climb.tried, nic, plug, policy)
    if found is None:
        return _exhausted(nic, climb, fault, at)
    rung, action, inverse = found
    if policy.mode == "observe":
        withheld = replace(climb, phase="waiting", told=rung.step)
        nic, wakes = _go(nic, withheld, at, WITHHELD_SECONDS * SECOND_NS)
        if climb.told == rung.step:
            return nic, wakes
        nic = incident.add_withheld(nic, fault.words, rung.step, at)
        device = nic.link.device if nic.link else ""
        words = f"{fault.words}: {rung.what}"
        told = StepWithheld(nic.nic, device, rung.step, words)
        return nic, (Tell(told), *wakes)
    if nic.steps_left == 0:  # since a reload, which came between the questions and the answers
        return _blocked(nic, replace(climb, phase="waiting", awaits=()), policy, at)
    return step.begin(budget.spend(nic, at), climb, rung, action, inverse, fault.words, at)


def _settling(
    nic: Nic, climb: Climb, fault: Fault | None, policy: Policy, at: Stamp
) -> NicDecision:
    if fault is not None:
        # The same again soon after a repair: the next rung, not the first one over again.
        wait_ns = max(outcome.HOLD_OFF_SECONDS * SECOND_NS, fault.grace_ns(policy))
        return _go(nic, replace(climb, phase="waiting", fault=fault.name), at, wait_ns)
    if at.boottime_ns < climb.due_ns:
        return nic, ()
    if reach.target_of(nic, policy) is not None and nic.senses.reach.reachable is not True:
        # What stays silent earns no second climb, however often a stray packet breaks the silence.
        return _go(nic, climb, at, policy.remediation.settle_ns)
    if raising.is_left_down(nic) and climb.raises < raising.RAISES_MAX:
        return _go(nic, climb, at, raising.RAISE_AGAIN_SECONDS * SECOND_NS)
    return replace(incident.close(nic, at), climb=None), ()


def _resting(nic: Nic, climb: Climb, fault: Fault | None, policy: Policy, at: Stamp) -> NicDecision:
    if fault is None:
        return _subsided(nic, climb, policy, at)
    if fault.name == climb.fault and fault.once and at.boottime_ns >= climb.due_ns:
        rested = replace(climb, rests_until_ns=at.boottime_ns + REST_SECONDS * SECOND_NS)
        return _go(nic, rested, at, REST_SECONDS * SECOND_NS)
    if fault.name != climb.fault or at.boottime_ns >= climb.due_ns:
        again = replace(climb, phase="waiting", fault=fault.name, told="")
        if at.boottime_ns >= climb.due_ns:
            again = replace(again, tried=(), rests_until_ns=None)
        return _go(nic, again, at, fault.grace_ns(policy))
    return nic, ()


def _subsided(nic: Nic, climb: Climb, policy: Policy, at: Stamp) -> NicDecision:
    """Well again, by itself or somebody else: after a step that stays on record for a while."""
    if not climb.tried:
        return replace(nic, climb=None), ()
    settling = replace(climb, phase="settling", told="")
    return _go(nic, settling, at, policy.remediation.settle_ns)


def _blocked(nic: Nic, climb: Climb, policy: Policy, at: Stamp) -> NicDecision:
    free_ns = max(SECOND_NS, budget.next_free_ns(nic, policy, at) - at.boottime_ns)
    if climb.told == "budget":
        return _go(nic, climb, at, free_ns)
    blocked = {**nic.blocked_total, "budget": nic.blocked_total.get("budget", 0) + 1}
    device = nic.link.device if nic.link else ""
    minutes = policy.remediation.budget.within_ns // (60 * SECOND_NS)
    reason = f"{policy.remediation.budget.steps} steps within {minutes} minutes are spent"
    told = StepBlocked(nic.nic, device, BY_NAME[climb.fault].words, reason)
    nic, wakes = _go(
        replace(nic, blocked_total=blocked), replace(climb, told="budget"), at, free_ns
    )
    return nic, (Tell(told), *wakes)


def _exhausted(nic: Nic, climb: Climb, fault: Fault, at: Stamp) -> NicDecision:
    device = nic.link.device if nic.link else ""
    resting = replace(climb, phase="resting", awaits=())
    if climb.rests_until_ns is not None and at.boottime_ns < climb.rests_until_ns:
        return _go(nic, resting, at, climb.rests_until_ns - at.boottime_ns)
    resting = replace(resting, rests_until_ns=at.boottime_ns + REST_SECONDS * SECOND_NS)
    nic = incident.judge(nic, "beyond_repair", fault.words, at)
    nic, wakes = _go(nic, resting, at, REST_SECONDS * SECOND_NS)
    told = NicBeyondRepair(nic.nic, device, fault.words, climb.tried, REST_SECONDS // 3600)
    return nic, (Tell(told), *wakes)


def _go(nic: Nic, climb: Climb, at: Stamp, wait_ns: int) -> NicDecision:
    """The climb as it is now, and when to look at it again."""
    climb = replace(climb, due_ns=at.boottime_ns + wait_ns)
    return replace(nic, climb=climb), (Wake(climb.due_ns, outcome.topic(nic)),)


_Phase: TypeAlias = Callable[[Nic, Climb, "Fault | None", Policy, Stamp], NicDecision]
_PHASES: dict[str, _Phase] = {
    "waiting": _waiting,
    "probing": _probing,
    "settling": _settling,
    "resting": _resting,
}
