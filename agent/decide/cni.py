"""The CNI machine: what the host takes away from a CNI is noticed, judged and put back.

    event, or listing --> it stood, and is gone --> who was it? --> due --> put back --> it is there
                          (cni_baseline)            (cni_losses)    (cni_putting_back)

Nothing is asked of the CNI: what is known of it is what the kernel had for it until a moment ago.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent import cni_table
from agent.decide import cni_baseline, cni_losses, cni_putting_back
from agent.decide.cni_baseline import Gone
from agent.decide.decision import SECOND_NS, Decision
from agent.model.cni import CniExposure, CniGuard, Entry, Loss
from agent.model.facts import Fact, ReadFailed, SourceGap, Started, TimeReached
from agent.model.facts_of_cni import (
    CniAudited,
    EntriesPutBack,
    NetworkChanged,
    NetworkdRestarted,
    NetworkListed,
    RequesterRead,
)
from agent.model.identity import Stamp
from agent.model.outputs import Ask, Output, Tell, Wake
from agent.model.outputs_of_cni import ListNetwork, ReadRequester
from agent.model.policy import Policy
from agent.model.state import State
from agent.model.verdicts_of_cni import CniCovered, CniExposed, NetworkdRestart

LIST_AGAIN_SECONDS = 5  # after a listing that failed
MAY_BE_ITS_OWN = "it may have been the CNI itself"
NOBODY = 0  # the port of what the kernel did by itself


def decide(state: State, fact: Fact, policy: Policy) -> Decision:
    """What the fact means for what the CNI keeps on this node."""
    guard, outputs = _decide(state.cni, fact, policy)
    return replace(state, cni=guard), tuple(outputs)


def _decide(guard: CniGuard, fact: Fact, policy: Policy) -> tuple[CniGuard, list[Output]]:
    match fact:
        case Started():
            if fact.restored is not None:
                guard = replace(guard, counts=fact.restored.cni)
            guard, asked = _list(guard)
            return guard, [*asked, *_look_into(True)]
        case SourceGap(source=cni_baseline.SOURCE):
            return _list(replace(guard, flushed_by=cni_losses.UNHEARD))
        case NetworkChanged():
            return _changed(guard, fact, policy)
        case NetworkListed():
            return _listed(guard, fact, policy)
        case RequesterRead():
            guard, due, left = cni_losses.after_requester(guard, fact)
            guard, outputs = cni_putting_back.begin(guard, due, policy, fact.at)
            return guard, [
                *cni_putting_back.leave(guard, left, MAY_BE_ITS_OWN),
                *outputs,
                *_wakes(guard),
            ]
        case EntriesPutBack():
            guard, outputs = cni_putting_back.after_attempt(guard, fact, policy)
            return guard, [*outputs, *_wakes(guard)]
        case NetworkdRestarted():
            total = guard.counts.networkd_restarts_total + 1
            counts = replace(guard.counts, networkd_restarts_total=total)
            return replace(guard, counts=counts), [Tell(NetworkdRestart(total))]
        case CniAudited():
            return _audited(guard, fact)
        case ReadFailed():
            return _unanswered(guard, fact)
        case TimeReached():
            return _due(guard, fact, policy)
        case _:
            return guard, []


def _changed(
    guard: CniGuard, fact: NetworkChanged, policy: Policy
) -> tuple[CniGuard, list[Output]]:
    before = guard
    ways_changed = cni_putting_back.may_have_a_way_now(guard, fact)
    guard, went = cni_baseline.after_change(guard, fact, policy.cni_guard)
    may_be_flushed, port = cni_baseline.flushes(before, guard, fact)
    guard, outputs = _lose(guard, went, fact.at, policy)
    if may_be_flushed:
        is_unheard = guard.flushed_by == cni_losses.UNHEARD
        guard, asked = _list(guard if is_unheard else replace(guard, flushed_by=port))
        outputs += asked
    if ways_changed:
        guard, looking = cni_putting_back.look_again(guard)
        outputs += _look_into(looking)
    return guard, outputs


def _listed(guard: CniGuard, fact: NetworkListed, policy: Policy) -> tuple[CniGuard, list[Output]]:
    guard, went = cni_baseline.after_listing(guard, fact, policy.cni_guard)
    guard, outputs = _lose(guard, went, fact.at, policy)
    if guard.listing_again:
        guard, asked = _list(replace(guard, listing_again=False))
        outputs += asked
    guard, looking = cni_putting_back.look_again(guard)
    return guard, [*outputs, *_look_into(looking)]


def _lose(
    guard: CniGuard, went: Iterable[Gone], at: Stamp, policy: Policy
) -> tuple[CniGuard, list[Output]]:
    """Of what went, that which is a CNI's and had stood for a while; and who was it?"""
    losses, ports = dict(guard.losses), dict[int, None]()
    for standing, port in went:
        if _is_our_doing(guard, standing.entry):
            continue
        cni = cni_table.whose(standing.entry, guard.links, policy.cni_guard, guard.runtime)
        stood = cni_baseline.is_stable(standing, at.boottime_ns)
        if not cni or not stood or len(losses) >= cni_losses.LOSSES_MAX:
            continue
        losses[standing.entry.payload] = Loss(standing, cni, at.boottime_ns, port)
        ports[port] = None
    asked = [Ask(ReadRequester(port, cni_table.OWNERS)) for port in ports]
    return replace(guard, losses=losses), list(asked)


def _is_our_doing(guard: CniGuard, entry: Entry) -> bool:
    """A link that is put back to what it was ceases to be what it was made."""
    return any(
        flying.standing.entry.ifindex == entry.ifindex and flying.standing.entry.kind == entry.kind
        for flying in guard.in_flight.values()
        if entry.device
    )


def _audited(guard: CniGuard, fact: CniAudited) -> tuple[CniGuard, list[Output]]:
    """Told where other checks say no than before; how much is exposed comes and goes with pods."""
    before = guard.exposure
    exposure = CniExposure(
        fact.wrong, fact.fine, fact.exposed_rules, fact.exposed_routes, fact.managed
    )
    guard = replace(guard, exposure=exposure)
    if fact.wrong == before.wrong:
        return guard, []
    if not fact.wrong:
        return guard, [Tell(CniCovered())]
    return guard, [Tell(CniExposed(fact.wrong, _exposed(exposure)))]


def _exposed(exposure: CniExposure) -> str:
    rules, routes = exposure.exposed_rules, exposure.exposed_routes
    if rules is None or routes is None:
        return "what the next start of systemd-networkd deletes is not known"
    return f"the next start of systemd-networkd deletes {rules} ip rules and {routes} routes"


def _unanswered(guard: CniGuard, fact: ReadFailed) -> tuple[CniGuard, list[Output]]:
    """Nobody knows who it was, nor whether a CNI is at work: then nothing is done."""
    match fact.question:
        case ReadRequester(port):
            guard, left = cni_losses.after_no_answer(guard, port)
            return guard, cni_putting_back.leave(guard, left, fact.reason)
        case ListNetwork(number):
            again_ns = fact.at.boottime_ns + LIST_AGAIN_SECONDS * SECOND_NS
            return replace(guard, listing_answered=number), [Wake(again_ns, cni_baseline.TOPIC)]
        case _:
            return guard, []


def _list(guard: CniGuard) -> tuple[CniGuard, list[Output]]:
    """Ask for all there is; while an answer is awaited, once more after it."""
    if guard.listing_asked > guard.listing_answered:
        return replace(guard, listing_again=True), []
    number = guard.listing_asked + 1
    return replace(guard, listing_asked=number), [Ask(ListNetwork(number))]


def _due(guard: CniGuard, fact: TimeReached, policy: Policy) -> tuple[CniGuard, list[Output]]:
    if fact.topic == cni_baseline.TOPIC:
        return _list(guard)
    if fact.topic != cni_losses.TOPIC:
        return guard, []
    guard, due, looking = cni_losses.after_wake(guard, fact.at.boottime_ns)
    guard, outputs = cni_putting_back.begin(guard, due, policy, fact.at)
    return guard, [*outputs, *_look_into(looking), *_wakes(guard)]


def _look_into(wanted: bool) -> list[Output]:
    """Whether a CNI is at work."""
    return [Ask(ReadRequester(NOBODY, cni_table.OWNERS))] if wanted else []


def _wakes(guard: CniGuard) -> list[Output]:
    due_ns = cni_losses.next_due_ns(guard)
    return [Wake(due_ns, cni_losses.TOPIC)] if due_ns is not None else []
