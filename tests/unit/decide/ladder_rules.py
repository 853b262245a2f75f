"""What must hold after every fact of a climb, whatever led there; by books of its own."""

from __future__ import annotations

from dataclasses import replace

from agent.decide.go_ahead import ends_a_step
from agent.decide.ladder import BY_STEP, LADDER
from agent.decide.permission import mode_in_force
from agent.model.facts import (
    ActionEnded,
    Fact,
    LinkGone,
    PlugRead,
    ProbeEnded,
    ReadFailed,
    ResumeRequested,
    SpeedRead,
    Started,
    Stopping,
)
from agent.model.outputs import Output, ReadPlug, ReadSpeed, Tell
from agent.model.state import Nic, State
from agent.model.verdicts import NicReplaced, StepBegan, StepFailed, StepVerified
from tests.builders import SECOND_NS, actions_of
from tests.unit.decide.climbs import SERVER, Climbing, Ledger
from tests.unit.decide.uplinks import GATEWAY

DAY_NS = 24 * 3600 * SECOND_NS
WEDGES = {"driver_gave_up", "tx_timeout", "control_errors", "speed_unanswered"}
# What speaks for each fault, and who must have been heard before a step; as the issue has it, not
# as decide/faults.py does.
EVIDENCE: dict[str, tuple[str, tuple[str, ...]]] = {
    "missing": ("missing", ()),
    "driver_dead": ("driver_gave_up", ()),
    "transmit_hung": ("tx_timeout", ("gateway silent",)),
    "registers_dead": ("control_errors speed_unanswered", ("registers hang",)),
    "wrong_driver": ("wrong_driver", ()),
    "lost_name": ("lost_name", ()),
    "unconfigured": ("unconfigured", ()),
    "unaddressed": ("unaddressed", ()),
    "unrouted": ("unrouted", ()),
    "carrier_lies": ("interrupt_stopped", ("gateway silent",)),
    "silent": ("silence", ("gateway silent", "server silent")),
    "no_carrier": ("no_carrier", ()),
    "slow_link": ("slow_link", ()),
    "usb2": ("usb2", ()),
    "flapping": ("flapping", ()),
}
LEAVES_OFF = {"link_bounce", "restore_name", "driver_rebind", "usb_config_cycle"} | {
    "usb_reauthorize",
    "port_power",
}
_ORDER: list[str] = [rung.step for rung in LADDER]


def obey(point: Climbing, before: State, fact: Fact, outputs: tuple[Output, ...]) -> None:
    """Look at one decision. AssertionError."""
    _listen(point, before, fact)
    told = [output.verdict for output in outputs if isinstance(output, Tell)]
    for verdict in told:
        if isinstance(verdict, NicReplaced):
            point.ledger = Ledger()
    acts = actions_of(outputs)
    for verdict in told:
        if isinstance(verdict, StepBegan) and verdict.step in BY_STEP:
            _begins(point, verdict.step)
            assert [verdict.action_id] == [action.action_id for action in acts]
        if isinstance(verdict, StepVerified) and verdict.step in BY_STEP:
            assert point.ledger.is_answered, f"{verdict.step} is verified, and nobody answered"
        if isinstance(verdict, StepFailed) and verdict.outcome in ("refused", "busy"):
            _nothing_was_done(point, verdict.step)
    if mode_in_force(point.state, point.policy) == "observe" and not isinstance(fact, Stopping):
        unwanted = [action for action in acts if not ends_a_step(point.state, action)]
        assert not unwanted, f"{unwanted} in mode observe"
    for nic in point.state.nics.values():
        _is_sound(point, nic)
    if not (isinstance(fact, Started) and before.boot_id != fact.boot_id):
        _no_inverse_is_lost(point, before, fact)


def _listen(point: Climbing, before: State, fact: Fact) -> None:
    heard = _heard(point, fact)
    was_asked = any(n.climb and n.climb.phase == "probing" for n in before.nics.values())
    answers = point.ledger.answers if was_asked else ()
    if was_asked and heard and heard not in answers:
        answers = tuple(sorted((*answers, heard)))
    point.ledger = replace(point.ledger, answers=answers)
    if isinstance(fact, ActionEnded | Started):  # whoever answered before that answers for nothing
        point.ledger = replace(point.ledger, is_answered=False)
    if heard in ("gateway answers", "registers answer"):
        is_known = any(nic.gateway_known for nic in before.nics.values())
        says = heard == ("gateway answers" if is_known else "registers answer")
        point.ledger = replace(point.ledger, is_answered=point.ledger.is_answered or says)
    link = point.link
    if isinstance(fact, Started) and before.boot_id not in ("", fact.boot_id):
        point.ledger = Ledger(steps_ns=point.ledger.steps_ns)
    if isinstance(fact, ResumeRequested) or (point.is_there and link.carrier and link.admin_up):
        point.ledger = replace(point.ledger, of_outage=())
    gateway_answered = heard == "gateway answers"
    if isinstance(fact, ResumeRequested | LinkGone) or gateway_answered or not link.carrier:
        point.ledger = replace(point.ledger, of_silence=())


def _heard(point: Climbing, fact: Fact) -> str:
    match fact:
        case PlugRead(found=found):
            ours = found is not None and found.vendor_id == point.adapter.vendor_id
            return "plug ours" if ours else "plug empty" if found is None else "plug foreign"
        case ReadFailed(question=ReadPlug()):
            return "plug unread"
        case ReadFailed(question=ReadSpeed(), hung=True):
            return "registers hang"
        case SpeedRead():
            return "registers answer"
        case ProbeEnded(target=target, answered=answered):
            who = {GATEWAY: "gateway", SERVER: "server"}[target]
            return f"{who} {'answers' if answered else 'silent'}"
        case _:
            return ""


def _begins(point: Climbing, step: str) -> None:
    nic, ledger = point.nic, point.ledger
    climb, health = nic.climb, nic.senses.health
    assert climb is not None
    assert health is not None
    assert mode_in_force(point.state, point.policy) == "remediate", "a step in mode observe"
    assert point.policy.match, "a step on a NIC that is not named"
    assert nic.link is None or nic.link.admin_up, "a step on a NIC that somebody set down"
    evidence, needed = EVIDENCE[climb.fault]
    assert set(evidence.split()) & set(health.speaking), (
        f"{step} for {climb.fault}, and it is not so"
    )
    known = {"plug ours", "plug empty" if nic.link is None else ""}
    assert known & set(ledger.answers), f"{step}, and who knows what is in the plug"
    for needs in needed:
        assert needs in ledger.answers, f"{step} without: {needs}"
    lives = {"gateway answers", "server answers", "registers answer"} & set(ledger.answers)
    assert not lives, f"{step}, and it lives: {lives}"
    assert step != "link_bounce" or not WEDGES & set(health.speaking), "a wedge is bounced"
    assert (step in LEAVES_OFF) == (nic.step is not None and nic.step.inverse is not None)
    # Of an empty plug only the power can be switched: what comes back begins below that.
    plug = "plug ours" if "plug ours" in ledger.answers else "plug empty"
    of_climb = ledger.of_climb if climb.tried[:-1] else ()
    before = [taken for fault, seen, taken in of_climb if (fault, seen) == (climb.fault, plug)]
    assert not before or _ORDER.index(step) > _ORDER.index(before[-1]), f"{before[-1]}, {step}"
    budget = point.policy.remediation.budget
    since_ns = point.now_ns - budget.within_ns
    taken_ns = (*(t for t in ledger.steps_ns if t > since_ns), point.now_ns)
    assert len(taken_ns) <= budget.steps, f"{len(taken_ns)} steps, {budget.steps} are the budget"
    of_climb = (*of_climb, (climb.fault, plug, step))
    point.ledger = replace(ledger, steps_ns=taken_ns, of_climb=of_climb)
    if climb.fault != "silent":  # evidence other than silence
        point.ledger = replace(point.ledger, of_silence=())
    if climb.fault == "no_carrier":
        assert step in ("link_bounce", "usb_reset"), f"{step} for want of a carrier"
        assert step not in ledger.of_outage, f"a second {step} in one outage"
        point.ledger = replace(point.ledger, of_outage=(*ledger.of_outage, step))
    if climb.fault == "silent":
        assert step == "usb_reset", f"{step} for silence"
        assert not ledger.of_silence, f"a second {step} for one silence"
        point.ledger = replace(point.ledger, of_silence=(step,))


def _nothing_was_done(point: Climbing, step: str) -> None:
    ledger = point.ledger
    fault = ledger.of_climb[-1][0] if ledger.of_climb else ""
    outage = ledger.of_outage
    point.ledger = replace(
        ledger,
        steps_ns=ledger.steps_ns[:-1],
        of_climb=ledger.of_climb[:-1],
        of_outage=tuple(s for s in outage if s != step) if fault == "no_carrier" else outage,
        of_silence=() if fault == "silent" else ledger.of_silence,
    )


def _no_inverse_is_lost(point: Climbing, before: State, fact: Fact) -> None:
    """What a step may have left off stays on record, until it is done or its inverse has ended."""
    for nic in before.nics.values():
        step = nic.step
        if step is None or step.inverse is None or step.phase == "undoing":
            continue
        has_ended = isinstance(fact, ActionEnded) and fact.outcome in ("done", "refused", "busy")
        on_record = [n.step.inverse for n in point.state.nics.values() if n.step]
        assert has_ended or step.inverse in on_record, f"the inverse of {step.step} is lost"


def _is_sound(point: Climbing, nic: Nic) -> None:
    """Each open phase has a time at which it is looked at again; what is open belongs together."""
    climb, step = nic.climb, nic.step
    open_incidents = [incident for incident in nic.incidents if incident.closed is None]
    # Without a climb it closes once the NIC has been well for a while, whatever wakes decide then.
    settling = all(incident.well_since is not None for incident in open_incidents)
    assert settling or climb is not None, "an incident that nothing will close"
    assert len(open_incidents) <= 1
    assert step is None or climb is not None, f"{step} belongs to no climb"
    assert step is None or (climb is not None and climb.phase == "stepping")
    if climb is not None and not point.is_restored:
        due_ns = min(point.wakes.values(), default=None)
        assert due_ns is not None, f"{climb.phase}, and nothing will look at it again"
        assert due_ns <= point.now_ns + DAY_NS
