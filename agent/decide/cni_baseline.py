"""What stands in the host's network, and since when: what may count as lost, and what as new.

An entry counts as lost where it had stood unchanged for STABLE_SECONDS: what comes and goes faster
is somebody's work in progress. No timer is needed for that, only when it was last new. And what
was lost before the daemon ran, or while it could not hear, is nobody's loss: the owner may have
removed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.decide import cni_links
from agent.decide.decision import SECOND_NS
from agent.model.cni import CniGuard, Entry, EntryChange, Loss, Standing
from agent.model.facts_of_cni import NetworkChanged, NetworkListed
from agent.model.policy import CniGuardPolicy

SOURCE, TOPIC = "network", "cni_listing"
STABLE_SECONDS = 5
ENTRIES_MAX = 16_384  # beyond that, the rest is not known, and so never put back
DEPARTED_MAX = 16_384

Gone = tuple[Standing, int]  # what went, and the port of who asked for it


def after_change(
    guard: CniGuard, fact: NetworkChanged, policy: CniGuardPolicy
) -> tuple[CniGuard, list[Gone]]:
    """What the events say, and what went by them."""
    now_ns = fact.at.boottime_ns
    guard = _without_links(guard, fact.gone)
    links = cni_links.changed(guard, fact)
    changes = [*fact.entries, *cni_links.changes(guard, links, policy)]
    standing, losses = dict(guard.standing), dict(guard.losses)
    departed, went = dict(guard.departed), list[Gone]()
    for change in changes:
        payload = change.entry.payload
        if change.is_there:
            for other in _replaced(standing, change):
                went.append((standing.pop(other), change.port))
            _came(guard, standing, losses, change.entry, now_ns)
            departed.pop(payload, None)
            continue
        found = standing.pop(payload, None)
        if cni_links.is_due(change.entry):
            found = Standing(change.entry, 0, guard.listing_asked)
        if found is not None:
            went.append((found, change.port))
        if guard.listing_asked > guard.listing_answered and len(departed) < DEPARTED_MAX:
            departed[payload] = guard.listing_asked
    links = {**guard.links, **links}
    guard = replace(guard, standing=standing, losses=losses, departed=departed, links=links)
    return guard, went


def after_listing(
    guard: CniGuard, fact: NetworkListed, policy: CniGuardPolicy
) -> tuple[CniGuard, list[Gone]]:
    """All there is: what no message told of has come, or gone.

    Older than what was heard since it was asked for: that counts more.
    """
    now_ns = fact.at.boottime_ns
    entries = [*fact.entries, *cni_links.entries(fact.links, policy)]
    listed = {entry.payload for entry in entries}
    standing, losses = dict(guard.standing), dict(guard.losses)
    no_link = {index for index, number in guard.departed_links.items() if number >= fact.number}
    went: list[Gone] = []
    for payload, found in guard.standing.items():
        if payload not in listed and found.heard_listing < fact.number:
            del standing[payload]
            port = -found.entry.ifindex if found.entry.device else guard.flushed_by
            went.append((found, port))
    for entry in entries:
        has_gone = guard.departed.get(entry.payload, 0) >= fact.number
        has_gone = has_gone or entry.ifindex in no_link
        if entry.payload not in standing and not has_gone:
            _came(guard, standing, losses, entry, now_ns)
    return (
        replace(
            guard,
            standing=standing,
            losses=losses,
            links={link.ifindex: link for link in fact.links if link.ifindex not in no_link},
            departed={},
            departed_links={},
            listing_answered=fact.number,
            flushed_by=0,
        ),
        went,
    )


def is_stable(standing: Standing, at_ns: int) -> bool:
    """Whether it had been there for long enough to count as lost."""
    return at_ns - standing.since_ns >= STABLE_SECONDS * SECOND_NS


def flushes(before: CniGuard, after: CniGuard, fact: NetworkChanged) -> tuple[bool, int]:
    """Whether the kernel may have flushed routes without a word, and who made it.

    It does where a device is set down, and where its last IPv4 address goes
    (net/ipv4/fib_frontend.c, fib_disable_ip): no RTM_DELROUTE tells of it. A route may have come
    among the same messages.
    """
    standing = (*before.standing.values(), *after.standing.values())
    routed = {found.entry.ifindex for found in standing if found.entry.kind == "route"}
    for change in fact.entries:
        entry = change.entry
        if not change.is_there and entry.kind == "address" and entry.ifindex in routed:
            return True, change.port
    return bool(routed.intersection(fact.downs)), 0


def _came(
    guard: CniGuard,
    standing: dict[str, Standing],
    losses: dict[str, Loss],
    entry: Entry,
    now_ns: int,
) -> None:
    """It is there. One that was lost goes on from where it was.

    Whoever takes it away again at once takes away what is the CNI's.
    """
    payload = entry.payload
    if payload not in standing and len(standing) >= ENTRIES_MAX:
        return
    loss = losses.pop(payload, None) or guard.in_flight.get(payload)
    known = standing.get(payload) or (loss.standing if loss is not None else None)
    since_ns = known.since_ns if known is not None else now_ns
    standing[payload] = Standing(entry, since_ns, guard.listing_asked)


def _replaced(standing: Mapping[str, Standing], change: EntryChange) -> list[str]:
    """What NLM_F_REPLACE took the place of: another route of the same key (net/ipv4/fib_trie.c)."""
    if not change.replaces:
        return []
    new = change.entry
    key = (new.family, new.table, new.destination, new.priority)
    return [
        payload
        for payload, found in standing.items()
        if payload != new.payload
        and found.entry.kind == "route"
        and (found.entry.family, found.entry.table, found.entry.destination, found.entry.priority)
        == key
    ]


def _without_links(guard: CniGuard, gone: Iterable[int]) -> CniGuard:
    """A device took with it what was on it: nobody can put that back, and its owner knows."""
    ifindexes = set(gone)
    if not ifindexes:
        return guard
    standing = {p: s for p, s in guard.standing.items() if s.entry.ifindex not in ifindexes}
    losses = {p: s for p, s in guard.losses.items() if s.standing.entry.ifindex not in ifindexes}
    links = {index: link for index, link in guard.links.items() if index not in ifindexes}
    guard = replace(guard, standing=standing, losses=losses, links=links)
    if guard.listing_asked == guard.listing_answered:
        return guard
    departed = {**guard.departed_links, **dict.fromkeys(ifindexes, guard.listing_asked)}
    return replace(guard, departed_links=departed)
