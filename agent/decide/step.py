"""One step of the ladder: from its beginning to its verdict.

    running --done--> verifying --well, and somebody answers--> (verified)
       |                  |  +--- on another interface number --> checking (aftercare.py)
       |                  +------- not so in time ------------> (failed)
       +--failed--> undoing, where the step left something off --> (failed)

Carried out is not yet helped. A step is verified by what is seen afterwards: carrier and gateway
or, where there is none, a register that can be read.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide import aftercare, incident, outcome, proof, raising
from agent.decide.decision import SECOND_NS, NicDecision
from agent.decide.faults import REGISTERS, fault_of
from agent.decide.ladder import BY_STEP, Rung
from agent.model.actions import Action
from agent.model.facts import ActionEnded
from agent.model.identity import Stamp
from agent.model.outputs import Act, Ask, ReadSpeed, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Climb, Nic, StepInProgress
from agent.model.verdicts import StepBegan

CARRY_OUT_SECONDS = 90  # the disk, another action, its own deadline: all of them together
OTHER_FAULT_SECONDS = 10  # a new interface is on a generic driver for a moment, and has no carrier
LATE_SECONDS = 2  # the kernel may tell of a lost carrier a second late (net/core/link_watch.c)
UNDO_BUSY_TRIES, UNDO_AGAIN_SECONDS = 40, 15
BUSY_AGAIN_SECONDS = 60
REFUSALS_MAX = 5
PAUSED_SECONDS = 30  # so late a time comes only where the machine stood still


def begin(
    nic: Nic,
    climb: Climb,
    rung: Rung,
    action: Action,
    inverse: Action | None,
    words: str,
    at: Stamp,
) -> NicDecision:
    """The step is decided; it is carried out once the disk knows of it."""
    action = replace(action, action_id=f"{action.action_id}-{at.boottime_ns // 1_000_000}")
    stepping = replace(
        climb,
        phase="stepping",
        due_ns=at.boottime_ns + CARRY_OUT_SECONDS * SECOND_NS,
        tried=(*climb.tried, rung.step),
        told="",
        awaits=(),
        raised=None,
    )
    # The flaps until now have earned this step; the ones after it say whether it helped.
    flap_times_ns = () if climb.fault == "flapping" else nic.flap_times_ns
    nic = replace(
        nic,
        climb=stepping,
        flap_times_ns=flap_times_ns,
        step=StepInProgress(
            action.action_id,
            rung.step,
            "running",
            inverse,
            ifindex_before=nic.link.ifindex if nic.link is not None else None,
        ),
        attempts_total=outcome.one_more(nic.attempts_total, rung.step),
    )
    nic = incident.add_step(nic, words, rung.step, at)
    told = StepBegan(
        nic.nic, outcome.device_of(nic), rung.step, action.action_id, f"{words}: {rung.what}"
    )
    return nic, (Tell(told), Act(action), outcome.wake(nic, stepping))


def after_action(nic: Nic, fact: ActionEnded) -> NicDecision:
    """The actor's word."""
    step, climb = nic.step, nic.climb
    if step is None or climb is None:
        return nic, ()
    if step.phase == "undoing" and step.inverse == fact.action:
        tries = UNDO_BUSY_TRIES if fact.outcome == "busy" else BY_STEP[step.step].undo_tries
        if fact.outcome in ("failed", "busy", "timed_out") and step.undone < tries:
            # Not at once: an earlier action may hang, and a device that has come back may refuse.
            climb = replace(climb, due_ns=fact.at.boottime_ns + UNDO_AGAIN_SECONDS * SECOND_NS)
            waiting = replace(step, undo_failed=True)
            return replace(nic, climb=climb, step=waiting), (outcome.wake(nic, climb),)
        done = fact.outcome == "done"
        if done and step.timed_out:
            return verify(nic, fact.at)
        detail = "what it had left off is on again" if done else f"and not undone: {fact.detail}"
        return outcome.failed(nic, "failed" if done else fact.outcome, detail, fact.at)
    if step.phase == "caring" and step.action_id == fact.action.action_id:
        return aftercare.after_action(nic, climb, step, fact)
    if step.phase != "running" or step.action_id != fact.action.action_id:
        return nic, ()
    if fact.outcome == "done":
        return verify(nic, fact.at)
    if fact.outcome in ("refused", "busy"):
        return _refused(nic, step, climb, fact)
    timed_out = fact.outcome == "timed_out"
    if step.inverse is not None:
        return undo(replace(nic, step=replace(step, timed_out=timed_out)), fact.at)
    if timed_out:
        # A reset whose process was killed goes on in the kernel, which retries for up to 15 s.
        return verify(nic, fact.at)
    return outcome.failed(nic, fact.outcome, fact.detail, fact.at)


def _refused(nic: Nic, step: StepInProgress, climb: Climb, fact: ActionEnded) -> NicDecision:
    """Nothing was done: neither the rung nor the budget is spent.

    What the world refuses a few times, it refuses. What was not even begun (the disk is full, an
    action hangs) says nothing of the rung, however long that lasts.
    """
    after, outputs = outcome.failed(nic, fact.outcome, fact.detail, fact.at)
    is_busy = fact.outcome == "busy"
    if after.climb is None or (climb.refusals >= REFUSALS_MAX and not is_busy):
        return after, outputs
    seconds = BUSY_AGAIN_SECONDS if is_busy else UNDO_AGAIN_SECONDS
    due_ns = fact.at.boottime_ns + seconds * SECOND_NS
    tried = tuple(name for name in climb.tried if name != step.step)
    refusals = climb.refusals if is_busy else climb.refusals + 1
    again = replace(after.climb, tried=tried, refusals=refusals, due_ns=due_ns)
    after = replace(after, climb=again, steps_taken=after.steps_taken[:-1])
    return after, (*outputs, outcome.wake(after, again))


def verify(nic: Nic, at: Stamp) -> NicDecision:
    """Look what became of it, for a bounded time."""
    step, climb = nic.step, nic.climb
    if step is None or climb is None:
        return nic, ()
    due_ns = at.boottime_ns + BY_STEP[step.step].verify_seconds * SECOND_NS
    climb = replace(climb, due_ns=due_ns, awaits=(REGISTERS,), proved=False)
    # Carried out, nothing is off any more: what is down from now on, somebody else set down.
    step = replace(step, phase="verifying", ended_ns=at.boottime_ns, inverse=None)
    nic = replace(nic, climb=climb, step=step)
    asked = (Ask(ReadSpeed(nic.link.ifindex, nic.link.device)),) if nic.link else ()
    late = Wake(at.boottime_ns + LATE_SECONDS * SECOND_NS, f"{outcome.topic(nic)}:late")
    return nic, (*asked, late, outcome.wake(nic, climb))


def undo(nic: Nic, at: Stamp) -> NicDecision:
    """What the step may have left off is switched on; it does no harm where that is so already."""
    step, climb = nic.step, nic.climb
    if step is None or climb is None or step.inverse is None:
        return nic, ()
    climb = replace(climb, due_ns=at.boottime_ns + CARRY_OUT_SECONDS * SECOND_NS)
    nic = replace(
        nic,
        climb=climb,
        step=replace(step, phase="undoing", undone=step.undone + 1, undo_failed=False),
    )
    return nic, (Act(step.inverse), outcome.wake(nic, climb))


def given_up(nic: Nic, at: Stamp) -> NicDecision:
    """Another adapter is in the plug: its climbs are its own, but the plug may still be off.

    The step may be under way all the same, and would be switched on by nobody once that is killed.
    """
    step, climb = nic.step, nic.climb
    if step is None or climb is None or step.inverse is None:
        return replace(nic, step=None, climb=None), ()
    climb = Climb(climb.fault, climb.phase, climb.due_ns, at.boottime_ns)
    nic = replace(nic, climb=climb, step=replace(step, timed_out=False))  # whatever came of it
    return (nic, ()) if step.phase == "undoing" else undo(nic, at)


def look(nic: Nic, policy: Policy, at: Stamp) -> NicDecision:
    """Whatever a fact has changed: is there a verdict?"""
    step, climb = nic.step, nic.climb
    if climb is None:
        return nic, ()
    if step is None:  # taken back by the unit, after the daemon was killed
        return outcome.to_next(nic, climb, at), ()
    if step.phase == "verifying" and step.ended_ns is None:
        # A restart cut it off: nobody knows what became of it.
        return undo(nic, at) if step.inverse is not None else verify(nic, at)
    told_ns = (step.ended_ns or 0) + LATE_SECONDS * SECOND_NS
    is_told = at.boottime_ns >= told_ns or bool(nic.gateway_known)
    well = is_told and proof.is_well(nic, policy) and proof.is_shown(nic, climb)
    is_answered = step.phase == "verifying" and well and proof.is_answered(nic, step)
    if is_answered and proof.is_routed(nic, step):
        if aftercare.is_due(nic, step):
            return aftercare.begin(nic, climb, step, at)
        return outcome.verified(nic, climb, step, policy, at)
    if well and aftercare.is_over(step, at):
        return outcome.verified(nic, climb, step, policy, at)
    if at.boottime_ns >= climb.due_ns:
        return _overdue(nic, climb, step, policy, at)
    if step.phase not in ("verifying", "checking"):
        return nic, ()
    other = fault_of(nic, policy)
    lasted_ns = at.boottime_ns - (step.ended_ns or 0)
    # Until the link was well once, the fault that earned the step may be on its way out.
    patience = ("missing", "no_carrier", climb.fault if step.phase == "verifying" else "")
    if (
        other is not None
        and other.name not in patience
        and lasted_ns >= OTHER_FAULT_SECONDS * SECOND_NS
    ):
        return outcome.failed(nic, "unverified", f"after it, {other.words}", at)
    nic, raised = raising.set_up(nic, climb, at)
    if is_answered:
        nic, asked = proof.ask_for_routes(nic, step, at)
        return nic, (*raised, *asked)
    if step.phase != "checking":
        return nic, raised
    nic, asked = aftercare.ask_again(nic, step, at)
    return nic, (*raised, *asked)


def restored(nic: Nic) -> Nic:
    """After a restart within the same boot: what was going on is looked into."""
    if nic.climb is None:
        return nic
    nic = replace(nic, climb=replace(nic.climb, raised=None))  # decided, and perhaps never done
    if nic.step is None or nic.climb is None or nic.climb.phase != "stepping":
        return nic
    return replace(nic, step=replace(nic.step, phase="verifying", ended_ns=None))


def _overdue(
    nic: Nic, climb: Climb, step: StepInProgress, policy: Policy, at: Stamp
) -> NicDecision:
    if step.phase == "undoing" and step.undo_failed:
        return undo(nic, at)
    if at.boottime_ns - climb.due_ns >= PAUSED_SECONDS * SECOND_NS:
        return _waited_for_anew(nic, climb, step, at)
    if step.phase == "running" and step.inverse is not None:
        return undo(nic, at)
    if step.phase == "running":
        return outcome.failed(nic, "timed_out", f"no end within {CARRY_OUT_SECONDS} s", at)
    if step.phase == "undoing":
        return outcome.failed(nic, "timed_out", "and what it left off may still be off", at)
    if step.phase == "caring":  # the actor never leaves an action without a word; a restart may
        return aftercare.begin(nic, climb, step, at)
    if step.phase == "checking" and proof.is_well(nic, policy):
        return _after_checking(nic, climb, step, policy, at)
    if step.phase == "verifying" and proof.is_well(nic, policy) and climb.proved:
        return outcome.link_only(nic, climb, step, proof.lack_in_words(nic), policy, at)
    seconds = BY_STEP[step.step].verify_seconds
    fault = fault_of(nic, policy)
    detail = f"{fault.words} still" if fault is not None else "nobody answers"
    return outcome.failed(nic, "unverified", f"{detail} after {seconds} s", at)


def _after_checking(
    nic: Nic, climb: Climb, step: StepInProgress, policy: Policy, at: Stamp
) -> NicDecision:
    """The link has been well all the while: is the node, by the latest that is known?"""
    ails = aftercare.ails(step)
    if not ails:
        return outcome.verified(nic, climb, step, policy, at)
    if policy.remediation.aftercare and not step.cared and policy.mode == "remediate":
        return aftercare.care(nic, climb, step, policy, at)
    failure = (step.care_failure,) if step.care_failure else ()
    return outcome.link_only(nic, climb, step, "; ".join((*ails, *failure)), policy, at)


def _waited_for_anew(nic: Nic, climb: Climb, step: StepInProgress, at: Stamp) -> NicDecision:
    """The machine stood still, and with it the actor and whoever was asked since the step."""
    climb = replace(climb, due_ns=at.boottime_ns + _wait_seconds(step) * SECOND_NS)
    return replace(nic, climb=climb), (outcome.wake(nic, climb),)


def _wait_seconds(step: StepInProgress) -> int:
    if step.phase == "verifying":
        return BY_STEP[step.step].verify_seconds
    if step.phase == "checking":
        return aftercare.CHECK_AFTER_CARE_SECONDS if step.cared else aftercare.CHECK_SECONDS
    return CARRY_OUT_SECONDS
