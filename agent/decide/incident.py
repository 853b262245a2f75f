"""What happened to a NIC, from the first evidence until it was well for a while: a record.

    (none) --first evidence--> open --well again--> settling --settle time--> closed
                                 ^                     |
                                 +--the fault is back--+

One that nobody need hear of leaves nothing behind: no step was due, and it was over before
Kubernetes would have called the node NotReady, or the NIC, asked before a first step, answered.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide.carrier import carries
from agent.decide.decision import SECOND_NS, NicDecision
from agent.decide.faults import BY_NAME
from agent.model.identity import Stamp
from agent.model.incident import INCIDENTS_MAX, Incident, IncidentVerdict, Sight, TakenStep
from agent.model.outputs import Ask, Output, ReadCounters, ReadUsbTree, Wake
from agent.model.policy import Policy
from agent.model.state import Climb, Nic

STEPS_MAX = 64  # of one incident: a NIC that fails for days has one that never closes
NOTICED_SECONDS = 40  # kube-controller-manager's --node-monitor-grace-period, until Kubernetes 1.31
TOPIC = "incident:"


def follow(nic: Nic, policy: Policy, at: Stamp) -> NicDecision:
    """After each look at the ladder: it opens, goes on and settles with the climb."""
    climb = nic.climb
    if climb is not None and climb.phase != "settling":
        return _goes_on(nic, climb, at)
    incident = of(nic)
    if incident is None:
        return nic, ()
    if incident.well_since is None:
        nic = _latest(nic, replace(incident, well_since=at))
        due_ns = at.boottime_ns + policy.remediation.settle_ns
        wake = Wake(due_ns, f"{TOPIC}{nic.adapter.connector}")
        return nic, (*_readings(nic), wake)
    lasted_ns = at.boottime_ns - incident.well_since.boottime_ns
    if climb is None and lasted_ns >= policy.remediation.settle_ns:
        return close(nic, at), ()
    return nic, ()


def add_step(nic: Nic, fault: str, step: str, at: Stamp) -> Nic:
    """A step begins."""
    return _with_step(_open(nic, fault, at), TakenStep(step, at, because=fault))


def add_withheld(nic: Nic, fault: str, step: str, at: Stamp) -> Nic:
    """A step was due and only told."""
    return _with_step(_open(nic, fault, at), TakenStep(step, at, "withheld", because=fault))


def end_step(nic: Nic, outcome: str, detail: str) -> Nic:
    """What came of the step that was begun last."""
    incident = of(nic)
    if incident is None or not incident.steps:
        return nic
    *before, last = incident.steps
    return _latest(
        nic, replace(incident, steps=(*before, replace(last, outcome=outcome, detail=detail)))
    )


def judge(nic: Nic, verdict: IncidentVerdict, fault: str, at: Stamp) -> Nic:
    """What it has come to so far; it stays open until the NIC was well for a while."""
    nic = _open(nic, fault, at)
    incident = of(nic)
    return nic if incident is None else _latest(nic, replace(incident, verdict=verdict, kept=True))


def close(nic: Nic, at: Stamp, otherwise: IncidentVerdict = "passed") -> Nic:
    """It is over, with the verdict that it had, or the other one."""
    incident = of(nic)
    if incident is None:
        return nic
    if not incident.kept:
        return replace(nic, incidents=nic.incidents[:-1])
    verdict = incident.verdict or otherwise
    after = _sight(nic, at) if nic.confirmed else None
    nic = _latest(nic, replace(incident, verdict=verdict, closed=at, after=after))
    totals = {**nic.incidents_total, verdict: nic.incidents_total.get(verdict, 0) + 1}
    return replace(nic, incidents=_bounded(nic.incidents), incidents_total=totals)


def of(nic: Nic) -> Incident | None:
    """The one that is open."""
    return nic.incidents[-1] if nic.incidents and nic.incidents[-1].closed is None else None


def _goes_on(nic: Nic, climb: Climb, at: Stamp) -> NicDecision:
    begins = of(nic) is None
    nic = _open(nic, BY_NAME[climb.fault].words, at) if begins else nic
    incident = of(nic)
    if incident is None:
        return nic, ()
    # Before a first step only: after one, whoever answers shows that it helped.
    answered = incident.answered or (climb.alive and not incident.steps)
    lasted_ns = at.boottime_ns - incident.opened.boottime_ns
    is_noticed = lasted_ns >= NOTICED_SECONDS * SECOND_NS and not answered
    kept = incident.kept or climb.told == "budget" or is_noticed
    seen = replace(incident, answered=answered, kept=kept, well_since=None)
    if seen != incident:
        nic = _latest(nic, seen)
    return nic, _readings(nic) if begins else ()


def _readings(nic: Nic) -> tuple[Output, ...]:
    """What whoever looks into it will want to know of this moment."""
    counters = (Ask(ReadCounters(nic.link.ifindex, nic.link.device)),) if nic.link else ()
    return (Ask(ReadUsbTree()), *counters)


def _open(nic: Nic, fault: str, at: Stamp) -> Nic:
    incident = of(nic)
    if incident is not None:
        return _latest(nic, replace(incident, verdict=None))
    health = nic.senses.health
    incident = Incident(
        id=f"{nic.nic}-{at.wall_ns // SECOND_NS}",
        device=nic.link.device if nic.link is not None else "",
        fault=fault,
        opened=at,
        evidence=health.evidence if health is not None else (),
        before=_sight(nic, at),
        fault_name=nic.climb.fault if nic.climb is not None else "",
    )
    return replace(nic, incidents=(*nic.incidents, incident))


def _sight(nic: Nic, at: Stamp) -> Sight:
    link, adapter = nic.link, nic.adapter
    return Sight(
        at,
        link.device if link is not None else "",
        adapter.driver,
        adapter.usb_path,
        adapter.usb_speed_bits,
        nic.speed_bits,
        carries(nic),
        nic.carrier_losses_total,
        nic.flaps_total,
        nic.disconnects_total,
        nic.senses.counters,
    )


def _with_step(nic: Nic, step: TakenStep) -> Nic:
    incident = of(nic)
    if incident is None:
        return nic
    steps = (*incident.steps, step)[-STEPS_MAX:]
    return _latest(nic, replace(incident, steps=steps, kept=True, well_since=None))


def _latest(nic: Nic, incident: Incident) -> Nic:
    return replace(nic, incidents=(*nic.incidents[:-1], incident))


def _bounded(incidents: tuple[Incident, ...]) -> tuple[Incident, ...]:
    """Of too many one goes: an old one that nothing was done about; the last of a verdict stays."""
    if len(incidents) <= INCIDENTS_MAX:
        return incidents
    latest = {incident.verdict: number for number, incident in enumerate(incidents)}
    spare = [n for n in range(len(incidents)) if n not in latest.values()]
    untouched = (n for n in spare if not incidents[n].steps)
    goes = next(untouched, spare[0])
    return (*incidents[:goes], *incidents[goes + 1 :])
