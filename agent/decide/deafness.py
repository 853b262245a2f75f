"""Whether the source of link events has gone deaf, without an error and without a word.

Every change that a listing shows was told by an event before, or is told within the second for
which the kernel holds back some of them (net/core/link_watch.c). Where the listing knows better
and no event at all comes for a while, the events do not reach us any more.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import LinksListed
from agent.model.identity import Link, Stamp
from agent.model.outputs import Ask, ReopenLinkEvents, Wake
from agent.model.state import State

TOPIC = "deafness"
DEAF_SECONDS = 5


def suspect(state: State, fact: LinksListed) -> Decision:
    """Compare the listing with what events have told so far, before it is taken in."""
    first = state.listing_answered == 0
    if first or state.gap_open or state.unheard_ns is not None or not _knows_better(state, fact):
        return state, ()
    due_ns = fact.at.boottime_ns + DEAF_SECONDS * SECOND_NS
    return replace(state, unheard_ns=fact.at.boottime_ns), (Wake(due_ns, TOPIC),)


def conclude(state: State, at: Stamp) -> Decision:
    """Nothing was heard since."""
    if state.unheard_ns is None or at.boottime_ns - state.unheard_ns < DEAF_SECONDS * SECOND_NS:
        return state, ()
    reason = "the kernel's list shows changes that no event told of: the socket has gone deaf"
    return replace(state, unheard_ns=None), (Ask(ReopenLinkEvents(reason)),)


def _knows_better(state: State, fact: LinksListed) -> bool:
    known: dict[int, tuple[Link, int]] = {
        index: (bystander.latest, bystander.heard_listing)
        for index, bystander in state.bystanders.items()
    }
    present = ((nic.link, nic.heard_listing) for nic in state.nics.values() if nic.link)
    known |= {link.ifindex: (link, heard) for link, heard in present}
    listed = {link.ifindex: link for link in fact.links}
    if listed.keys() - known.keys() - state.departed.keys():
        return True
    # Of what was heard of since the listing was asked for, it may know less (nic.py, rule 3).
    older = {index: link for index, (link, heard) in known.items() if heard < fact.number}
    return any(i not in listed or _changed(link, listed[i]) for i, link in older.items())


def _changed(known: Link, listed: Link) -> bool:
    # A link that is set down changes its carrier without an event.
    return known != listed and known.admin_up and listed.admin_up
