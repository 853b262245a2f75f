"""The NIC machine: which USB NICs there are, and what becomes of their links.

Its rules, in the order in which they are needed:
1. A new physical link is a bystander until its hardware has been read; then it is adopted
   as a NIC, known by the connector it is plugged into, or stays a bystander.
2. The first sight of a netdev is the baseline; from then on the kernel's counts are exact.
3. A listing speaks only of what was not heard of since it was asked for: events are newer.
4. A netdev that goes is one disconnect; if nobody saw it go, it is also a gap.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide import links, listing, tune
from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import (
    ActionEnded,
    AdapterRead,
    Fact,
    LinkGone,
    LinkSeen,
    LinksListed,
    ReadFailed,
    SourceGap,
    Started,
    Stopping,
    StoreSpoiled,
    TimeReached,
)
from agent.model.outputs import Ask, ListLinks, Output, ReadAdapter, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Nic, State
from agent.model.verdicts import ReadingFailed, StateSetAside, WatchEnded

READ_RETRY_SECONDS = 1
_READ_TOPIC = "read:"


def decide(state: State, fact: Fact, policy: Policy) -> Decision:
    """Route the fact to its rule; then say, once, what is watched."""
    state, outputs = _route(state, fact, policy)
    state, told = listing.announce(state, policy)
    return state, (*outputs, *told)


def _route(state: State, fact: Fact, policy: Policy) -> Decision:
    match fact:
        case Started():
            return _started(fact, policy)
        case LinkSeen():
            return links.hear(state, fact.link, policy, fact.at, state.listing_asked)
        case LinkGone():
            return _link_gone(state, fact)
        case LinksListed():
            return listing.apply(state, fact, policy)
        case AdapterRead():
            return _adapter_read(state, fact, policy)
        case ReadFailed():
            return _read_failed(state, fact)
        case SourceGap():
            return listing.after_gap(state, fact)
        case TimeReached():
            return _time_reached(state, fact)
        case ActionEnded():
            return _action_ended(state, fact)
        case StoreSpoiled():
            return state, (Tell(StateSetAside(fact.path, fact.reason)),)
        case Stopping():
            return state, (Tell(WatchEnded(fact.reason)),)


def _started(fact: Started, policy: Policy) -> Decision:
    """Nothing is taken for granted of what was restored: the first listing confirms it."""
    state = State(version=fact.version, boot_id=fact.boot_id, blind_spots=fact.blind_spots)
    if fact.restored is not None:
        same_boot = fact.restored.boot_id == fact.boot_id
        for nic in fact.restored.nics.values():
            state = links.take_over(state, _restored(nic, same_boot=same_boot), policy)
    state, question = listing.ask(state)
    return state, (question, listing.wake(fact.at))


def _restored(nic: Nic, *, same_boot: bool) -> Nic:
    """A kernel's counts and ifindexes mean nothing after a reboot; our own totals do."""
    nic = replace(nic, confirmed=False, heard_listing=0)
    if same_boot:
        return nic
    return replace(nic, link=None, loss_outstanding=False, step=None, tune_settled=None)


def _link_gone(state: State, fact: LinkGone) -> Decision:
    nic = links.nic_of(state, fact.ifindex)
    outputs: tuple[Output, ...] = ()
    if nic is not None:
        state, outputs = links.depart(state, nic, observed=True)
    state = links.without_bystander(state, fact.ifindex)
    # A listing asked for before now may still show it: see rule 3.
    departed = {**state.departed, fact.ifindex: state.listing_asked}
    return replace(state, departed=departed), outputs


def _adapter_read(state: State, fact: AdapterRead, policy: Policy) -> Decision:
    nic = links.nic_of(state, fact.ifindex)
    if nic is not None:
        if fact.adapter is None or fact.adapter.usb_path != nic.adapter.usb_path:
            return state, ()
        adapter = replace(fact.adapter, connector=nic.adapter.connector)
        nic, verified = tune.after_reading(replace(nic, adapter=adapter))
        nic, begun = tune.consider(nic, policy, fact.at)
        return links.with_nic(state, nic), (*verified, *begun)
    bystander = state.bystanders.get(fact.ifindex)
    if bystander is None:
        return state, ()  # gone before its hardware was read
    return links.identify(state, bystander, fact, policy)


def _read_failed(state: State, fact: ReadFailed) -> Decision:
    """Hardware that is just appearing or being renamed can be unreadable for a moment."""
    question = fact.question
    if isinstance(question, ListLinks):
        return state, (Tell(ReadingFailed("the list of links", fact.reason)),)
    bystander = state.bystanders.get(question.ifindex)
    if bystander is None or bystander.identified:
        return state, ()
    failed = replace(bystander, reads_failed=bystander.reads_failed + 1)
    state = replace(state, bystanders={**state.bystanders, question.ifindex: failed})
    if failed.reads_failed < listing.READ_ATTEMPTS_MAX:
        due_ns = fact.at.boottime_ns + READ_RETRY_SECONDS * SECOND_NS
        return state, (Wake(due_ns, f"{_READ_TOPIC}{question.ifindex}"),)
    return state, (Tell(ReadingFailed(f"the hardware behind {question.device}", fact.reason)),)


def _time_reached(state: State, fact: TimeReached) -> Decision:
    if fact.topic == listing.TOPIC:
        state, question = listing.ask(state)
        return state, (question, listing.wake(fact.at))
    for ifindex, bystander in state.bystanders.items():
        if fact.topic == f"{_READ_TOPIC}{ifindex}" and not bystander.identified:
            return state, (Ask(ReadAdapter(ifindex, bystander.latest.device)),)
    for nic in state.nics.values():
        if fact.topic == tune.wake_topic(nic.adapter.connector):
            after, outputs = tune.after_deadline(nic)
            return links.with_nic(state, after), outputs
    return state, ()


def _action_ended(state: State, fact: ActionEnded) -> Decision:
    for nic in state.nics.values():
        if nic.step is not None and nic.step.action_id == fact.action.action_id:
            after, outputs = tune.after_action(nic, fact)
            return links.with_nic(state, after), outputs
    return state, ()
