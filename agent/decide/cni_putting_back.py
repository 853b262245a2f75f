"""Putting back what is due: in which order, how often, and what is told of it.

Together, in one action: the rules first, and of them `lookup local`, without which the host itself
cannot be reached; then addresses; then the routes that leave with them. What the kernel does not
take yet, since a device, an address or a next hop is missing, waits for it to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.decide.decision import SECOND_NS
from agent.model.cni import ENTRY_KINDS, CniGuard, Entry, Loss
from agent.model.facts_of_cni import EntriesPutBack, NetworkChanged
from agent.model.identity import Stamp
from agent.model.outputs import Act, Output, Tell
from agent.model.outputs_of_cni import PutBack
from agent.model.policy import CniGuardPolicy, Policy
from agent.model.verdicts_of_cni import (
    CniInterference,
    CniLeft,
    CniRestored,
    CniRestoreFailed,
    CniRestoreWaits,
    CniRestoreWithheld,
    CniRests,
)

CULPRITS_MAX = 20
OTHER = "other"
WAY_AGAIN_SECONDS = 5  # at first; twice as long each time
WAY_DOUBLINGS_MAX = 6  # to 320 s: what the kernel will never take is not asked of it for ever
WORDS_MAX = 8  # entries that a line in the journal names
REMEMBERED_MAX = 4096  # entries of which is known how often they were put back
_LOCAL_TABLE = 255
_MILLISECOND_NS = 1_000_000


def begin(
    guard: CniGuard, due: Iterable[Loss], policy: Policy, at: Stamp
) -> tuple[CniGuard, list[Output]]:
    """Tell of what was taken away, and put back what has not been too often."""
    due = list(due)
    guard, outputs = _tell(guard, [loss for loss in due if not loss.told])
    if policy.mode != "remediate":
        groups = _by_culprit(loss for loss in due if not loss.told)
        return guard, outputs + [
            Tell(CniRestoreWithheld(kind, culprit, len(found), _words(guard, found)))
            for (kind, culprit), found in groups.items()
        ]
    due = [replace(loss, told=True) for loss in due]
    tired = [loss for loss in due if _is_tired(guard, loss, policy.cni_guard, at)]
    guard, rests = _rest(guard, tired, policy.cni_guard, at)
    resting = {loss.standing.entry.payload for loss in tired}
    wanted = [loss for loss in due if loss.standing.entry.payload not in resting]
    guard, acts = _send(guard, wanted)
    return guard, [*outputs, *rests, *acts]


def leave(guard: CniGuard, left: Iterable[Loss], reason: str) -> list[Output]:
    """Tell of what is neither anybody's doing that is known, nor put back."""
    return [
        Tell(CniLeft(kind, culprit, len(found), _words(guard, found), reason))
        for (kind, culprit), found in _by_culprit(left).items()
    ]


def after_attempt(
    guard: CniGuard, fact: EntriesPutBack, policy: Policy
) -> tuple[CniGuard, list[Output]]:
    """What became of it, entry by entry."""
    in_flight = dict(guard.in_flight)
    back, failed, waiting = list[Loss](), dict[str, list[Loss]](), dict[str, list[Loss]]()
    for attempt in fact.attempts:
        loss = in_flight.pop(attempt.payload, None)
        if loss is None:
            continue
        if not attempt.failure:
            back.append(loss)
        elif attempt.waits:
            waiting.setdefault(attempt.failure, []).append(loss)
        else:
            failed.setdefault(attempt.failure, []).append(loss)
    guard = replace(guard, in_flight=in_flight)
    guard, outputs = _came_back(guard, back, policy.cni_guard, fact.at)
    for reason, losses in failed.items():
        counts = guard.counts
        totals = _more(counts.restore_failures_total, (_kind(loss) for loss in losses))
        guard = replace(guard, counts=replace(counts, restore_failures_total=totals))
        outputs += [
            Tell(CniRestoreFailed(kind, culprit, len(found), _words(guard, found), reason))
            for (kind, culprit), found in _by_culprit(losses).items()
        ]
    for reason, losses in waiting.items():
        guard, told = _wait(guard, losses, reason, fact.at)
        outputs += told
    return guard, outputs


def may_have_a_way_now(guard: CniGuard, fact: NetworkChanged) -> bool:
    """Whether the news may be what a route waits for."""
    if not any(loss.phase == "wayless" for loss in guard.losses.values()):
        return False
    came = any(change.is_there for change in fact.entries)
    return came or any(link.is_up for link in fact.links)


def look_again(guard: CniGuard) -> tuple[CniGuard, bool]:
    """What waited for its way is looked into: is a CNI still at work?"""
    losses = {
        payload: replace(loss, phase="looking") if loss.phase == "wayless" else loss
        for payload, loss in guard.losses.items()
    }
    return replace(guard, losses=losses), losses != guard.losses


def _kind(loss: Loss) -> str:
    return loss.standing.entry.kind


def _send(guard: CniGuard, wanted: Iterable[Loss]) -> tuple[CniGuard, list[Output]]:
    losses = {loss.standing.entry.payload: loss for loss in wanted}
    if not losses:
        return guard, []
    entries = sorted((loss.standing.entry for loss in losses.values()), key=turn)
    number = guard.attempts + 1
    guard = replace(guard, attempts=number, in_flight={**guard.in_flight, **losses})
    return guard, [Act(PutBack(number, tuple(entries)))]


def turn(entry: Entry) -> tuple[int, bool, int, bool, int]:
    """For sorting. Routes without a gateway come before those whose gateway they lead to."""
    return (
        ENTRY_KINDS.index(entry.kind),
        entry.kind == "rule" and entry.table != _LOCAL_TABLE,
        entry.family,
        bool(entry.gateway),
        entry.priority,
    )


def _tell(guard: CniGuard, lost: Iterable[Loss]) -> tuple[CniGuard, list[Output]]:
    outputs: list[Output] = []
    totals = dict(guard.counts.interference_total)
    for (kind, culprit), found in _by_culprit(lost).items():
        how = " (inferred)" if found[0].standing.entry.device else ""
        told = CniInterference(kind, culprit, len(found), _words(guard, found), how)
        outputs.append(Tell(told))
        label = f"{kind} {_label(totals, culprit)}"
        totals[label] = totals.get(label, 0) + len(found)
    counts = replace(guard.counts, interference_total=totals)
    return replace(guard, counts=counts), outputs


def _label(totals: Mapping[str, int], culprit: str) -> str:
    """The culprit, or OTHER: so many of them are told apart."""
    known = {label.partition(" ")[2] for label in totals}
    return culprit if culprit in known or len(known) < CULPRITS_MAX else OTHER


def _is_tired(guard: CniGuard, loss: Loss, policy: CniGuardPolicy, at: Stamp) -> bool:
    """Put back so often that somebody means it. Who has rested begins anew."""
    if loss.rested:
        return False
    oldest_ns = at.boottime_ns - policy.repeats.within_ns
    restored_ns = guard.restored_ns.get(loss.standing.entry.payload, ())
    return len([t for t in restored_ns if t > oldest_ns]) >= policy.repeats.count


def _rest(
    guard: CniGuard, tired: Iterable[Loss], policy: CniGuardPolicy, at: Stamp
) -> tuple[CniGuard, list[Output]]:
    losses, due_ns = dict(guard.losses), at.boottime_ns + policy.rest_ns
    outputs: list[Output] = []
    for (kind, culprit), found in _by_culprit(tired).items():
        for loss in found:
            at_rest = replace(loss, phase="resting", due_ns=due_ns, rested=False)
            losses[loss.standing.entry.payload] = at_rest
        seconds = policy.rest_ns // SECOND_NS
        words = _words(guard, found)
        told = CniRests(kind, culprit, len(found), words, policy.repeats.count, seconds)
        outputs.append(Tell(told))
    return replace(guard, losses=losses), outputs


def _came_back(
    guard: CniGuard, back: Iterable[Loss], policy: CniGuardPolicy, at: Stamp
) -> tuple[CniGuard, list[Output]]:
    outputs: list[Output] = []
    restored_ns = dict(guard.restored_ns)
    totals = guard.counts.restores_total
    for (kind, culprit), found in _by_culprit(back).items():
        for loss in found:
            payload = loss.standing.entry.payload
            before = () if loss.rested else restored_ns.pop(payload, ())
            restored_ns[payload] = (*before, at.boottime_ns)[-policy.repeats.count :]
        lost_ns = min(loss.lost_ns for loss in found)
        milliseconds = max(0, at.boottime_ns - lost_ns) // _MILLISECOND_NS
        words = _words(guard, found)
        outputs.append(Tell(CniRestored(kind, culprit, len(found), words, milliseconds)))
        totals = _more(totals, (_kind(loss) for loss in found))
    latest = dict(list(restored_ns.items())[-REMEMBERED_MAX:])
    counts = replace(guard.counts, restores_total=totals)
    return replace(guard, restored_ns=latest, counts=counts), outputs


def _wait(
    guard: CniGuard, losses: Iterable[Loss], reason: str, at: Stamp
) -> tuple[CniGuard, list[Output]]:
    """Until something comes that may be its way; or a while: it may have come meanwhile."""
    losses = list(losses)
    waiting = {loss.standing.entry.payload: _waiting(loss, at) for loss in losses}
    new = {payload: loss for payload, loss in waiting.items() if payload not in guard.standing}
    outputs: list[Output] = [
        Tell(CniRestoreWaits(kind, culprit, len(found), _words(guard, found), reason))
        for (kind, culprit), found in _by_culprit(x for x in losses if not x.waits).items()
    ]
    return replace(guard, losses={**new, **guard.losses}), outputs


def _waiting(loss: Loss, at: Stamp) -> Loss:
    seconds = WAY_AGAIN_SECONDS << min(loss.waits, WAY_DOUBLINGS_MAX)
    due_ns = at.boottime_ns + seconds * SECOND_NS
    return replace(loss, phase="wayless", waits=loss.waits + 1, due_ns=due_ns)


def _by_culprit(losses: Iterable[Loss]) -> dict[tuple[str, str], list[Loss]]:
    groups: dict[tuple[str, str], list[Loss]] = {}
    for loss in losses:
        groups.setdefault((_kind(loss), loss.culprit), []).append(loss)
    return groups


def _words(guard: CniGuard, losses: Iterable[Loss]) -> tuple[str, ...]:
    words = []
    for loss in losses:
        entry = loss.standing.entry
        link = guard.links.get(entry.ifindex)
        if entry.device:
            words.append(f"{entry.device} {entry.words}")
            continue
        words.append(f"{entry.words} dev {link.name}" if link is not None else entry.words)
    more = len(words) - WORDS_MAX
    return (*words[:WORDS_MAX], *((f"and {more} more",) if more > 0 else ()))


def _more(totals: Mapping[str, int], kinds: Iterable[str]) -> Mapping[str, int]:
    counted = dict(totals)
    for kind in kinds:
        counted[kind] = counted.get(kind, 0) + 1
    return counted
