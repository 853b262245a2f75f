"""What became of a question: the hardware behind a link, and readings that failed."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import adoption, links, listing, reach, speed, tune
from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import AdapterRead, ReadFailed
from agent.model.outputs import (
    Ask,
    FollowKernelLog,
    ListLinks,
    Probe,
    ReadAdapter,
    ReadCounters,
    ReadNode,
    ReadPlug,
    ReadSpeed,
    ReadUplinks,
    ReadUsbTree,
    ReopenLinkEvents,
    Tell,
    Wake,
)
from agent.model.outputs_of_cni import ListNetwork, ReadRequester
from agent.model.policy import Policy
from agent.model.state import State
from agent.model.verdicts import ReadingFailed

RETRY_SECONDS = 1


def adapter(state: State, fact: AdapterRead, policy: Policy) -> Decision:
    """The hardware behind a link was read, for the first time or anew."""
    nic = links.nic_of(state, fact.ifindex)
    if nic is not None:
        if fact.adapter is None or fact.adapter.usb_path != nic.adapter.usb_path:
            return state, ()
        # The connector may carry a mark of our own (adoption.py: parked, or a second plug).
        found = replace(fact.adapter, connector=nic.adapter.connector)
        nic, verified = tune.after_reading(replace(nic, adapter=found))
        nic, begun = tune.consider(nic, policy, fact.at)
        return links.with_nic(state, nic), (*verified, *begun)
    bystander = state.bystanders.get(fact.ifindex)
    if bystander is None:
        return state, ()  # gone before its hardware was read
    return adoption.identify(state, bystander, fact.adapter, policy, fact.at)


def failed(state: State, fact: ReadFailed) -> Decision:
    """A question got no answer: retried, told, or taken as evidence."""
    match fact.question:
        case ListLinks():
            return state, (Tell(ReadingFailed("the list of links", fact.reason)),)
        case ReadPlug() | ReadNode():
            return state, ()  # unknown: no step is taken (climb.py), nobody is ill (aftercare.py)
        case ReadUsbTree():
            return state, ()  # the incident's record is poorer by it, and nothing else is
        case ReadUplinks():
            state = replace(state, uplinks_asked=False, uplinks_answered=True)
            return state, (Tell(ReadingFailed("which link leads where", fact.reason)),)
        case ReadSpeed(ifindex):
            failed_now = speed.after_failure if fact.hung else speed.after_no_question
            return links.change_nic(state, ifindex, failed_now), ()
        case ReadAdapter():
            return _adapter_failed(state, fact.question, fact)
        case Probe(ifindex):
            return links.change_nic(state, ifindex, reach.after_failure), ()
        case ReadCounters(ifindex):
            return links.change_nic(state, ifindex, reach.after_counters_failed), ()
        case FollowKernelLog():
            return replace(state, kernel_log_heard=True), ()  # it can tell nothing
        case ListNetwork() | ReadRequester():
            return state, ()  # the CNI's machine hears of it (cni.py)
        case ReopenLinkEvents():
            return state, ()  # tried again with the next listing that knows better


def again(state: State, topic: str) -> Decision:
    """A Wake for a retry came due."""
    for ifindex, bystander in state.bystanders.items():
        if topic == f"{adoption.READ_TOPIC}{ifindex}" and not bystander.identified:
            return state, (Ask(ReadAdapter(ifindex, bystander.latest.device)),)
    return state, ()


def _adapter_failed(state: State, question: ReadAdapter, fact: ReadFailed) -> Decision:
    """Hardware that is just appearing or being renamed can be unreadable for a moment."""
    bystander = state.bystanders.get(question.ifindex)
    if bystander is None or bystander.identified:
        return state, ()
    state = links.with_bystander(state, replace(bystander, reads_failed=bystander.reads_failed + 1))
    if bystander.reads_failed + 1 < listing.READ_ATTEMPTS_MAX:
        due_ns = fact.at.boottime_ns + RETRY_SECONDS * SECOND_NS
        return state, (Wake(due_ns, f"{adoption.READ_TOPIC}{question.ifindex}"),)
    return state, (Tell(ReadingFailed(f"the hardware behind {question.device}", fact.reason)),)
