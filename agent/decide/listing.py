"""The listing of all links: the first look, the answer to a gap, and the net below the events."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import deafness, kernel_log, links, uplinks
from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import LinksListed, SourceGap
from agent.model.identity import Stamp
from agent.model.outputs import Ask, ListLinks, Output, ReadAdapter, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Bystander, State
from agent.model.verdicts import SourceLostMessages, WatchBegan

SOURCE, TOPIC = "rtnetlink", "listing"
PERIOD_SECONDS = 30
READ_ATTEMPTS_MAX = 5


def ask(state: State) -> tuple[State, Output]:
    """Ask for a new listing; its number tells later which news it may overrule."""
    state = replace(state, listing_asked=state.listing_asked + 1, listing_again=False)
    return state, Ask(ListLinks(state.listing_asked))


def after_gap(state: State, fact: SourceGap) -> Decision:
    """Events were lost: list all links, or, where that is under way, once more after it."""
    state = replace(state, gap_open=True, unheard_ns=None)
    if state.listing_asked > state.listing_answered:
        return replace(state, listing_again=True), ()
    state, question = ask(state)
    return state, (Tell(SourceLostMessages(fact.source, fact.reason)), question)


def wake(at: Stamp) -> Wake:
    """When the next periodic listing is due."""
    return Wake(at.boottime_ns + PERIOD_SECONDS * SECOND_NS, TOPIC)


def periodic(state: State, at: Stamp) -> Decision:
    """The net below the events: whatever they missed, this finds."""
    state, question = ask(state)
    return state, (question, wake(at))


def apply(state: State, fact: LinksListed, policy: Policy) -> Decision:
    """Take in what the listing may speak of: links not heard of since it was asked for."""
    if fact.number <= state.listing_answered:
        return state, ()
    state, suspicion = deafness.suspect(state, fact)
    outputs: list[Output] = [*suspicion]
    for link in fact.links:
        heard = _heard_listing(state, link.ifindex)
        if heard is not None and heard >= fact.number:
            continue
        state, more = links.hear(state, link, policy, fact.at, heard or 0)
        outputs.extend(more)
    listed = {link.ifindex for link in fact.links}
    for nic in tuple(state.nics.values()):
        if nic.link and nic.link.ifindex not in listed and nic.heard_listing < fact.number:
            state, more = links.depart(state, nic, observed=False)
            outputs.extend(more)
    for ifindex, bystander in tuple(state.bystanders.items()):
        if ifindex not in listed and bystander.heard_listing < fact.number:
            state = links.without_bystander(state, ifindex)
    recent = {index: asked for index, asked in state.departed.items() if asked >= fact.number}
    state = replace(state, listing_answered=fact.number, departed=recent)
    state, about_uplinks = uplinks.ask(state)
    outputs.extend(about_uplinks)
    # What other programs set on a device meanwhile (power/control), they tell nobody.
    present = [nic.link for nic in state.nics.values() if nic.link is not None]
    outputs.extend(Ask(ReadAdapter(link.ifindex, link.device)) for link in present)
    if state.listing_again:
        state, question = ask(state)
        outputs.append(question)
    else:
        state = replace(state, gap_open=False)
    return state, tuple(outputs)


def announce(state: State, policy: Policy) -> Decision:
    """Say once what is watched and what is not, when the first look is complete."""
    if state.watch_told or state.listing_answered == 0 or not state.uplinks_answered:
        return state, ()
    if any(
        not b.identified and b.reads_failed < READ_ATTEMPTS_MAX for b in state.bystanders.values()
    ):
        return state, ()
    told = WatchBegan(
        version=state.version,
        mode=policy.mode,
        watched=watched(state),
        bystanders=tuple(describe(b) for b in state.bystanders.values()),
        blind_spots=state.blind_spots,
    )
    # Only now: a message about a NIC that is not known yet would be given to nobody.
    follow = kernel_log.follow(state)
    # Whatever is missing now is gone: from here on its absence is watched.
    nics = {c: nic if nic.link else replace(nic, confirmed=True) for c, nic in state.nics.items()}
    return replace(state, watch_told=True, nics=nics), (Tell(told), follow)


def describe(bystander: Bystander) -> str:
    """A bystander in words, e.g. `eth0 (virtio_net)`."""
    hardware = bystander.adapter
    about = "no hardware" if bystander.identified else "unreadable"
    if hardware is not None:
        about = hardware.driver or "no driver"
    about += ", USB, ignored by usb_nic.ignore" if bystander.ignored else ""
    about += f", second interface of {bystander.shares}" if bystander.shares else ""
    return f"{bystander.latest.device} ({about})"


def watched(state: State) -> tuple[str, ...]:
    """The watched NICs in words, e.g. `uplink (enx6c1ff71be8c8)`."""
    nics = state.nics.values()
    return tuple(f"{nic.nic} ({nic.link.device if nic.link else 'gone'})" for nic in nics)


def _heard_listing(state: State, ifindex: int) -> int | None:
    """The newest listing asked for when this link was last heard of, or when it went."""
    nic = links.nic_of(state, ifindex)
    if nic is not None:
        return nic.heard_listing
    bystander = state.bystanders.get(ifindex)
    if bystander is not None:
        return bystander.heard_listing
    return state.departed.get(ifindex)
