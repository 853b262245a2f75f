"""The NIC machine: which NICs there are, what becomes of their links, and how they fare.

Its rules, in the order in which they are needed:
1. A new physical link is a bystander until its hardware has been read; then it is adopted
   as a NIC, known by the connector it is plugged into, or stays a bystander.
2. The first sight of a netdev is the baseline; from then on the kernel's counts are exact.
3. A listing speaks only of what was not heard of since it was asked for: events are newer.
4. A netdev that goes is one disconnect; if nobody saw it go, it is also a gap.
5. After each fact the NICs that it changed are judged anew (decide/health.py), and what is to
   be done about it is gone on with (decide/climb.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from agent.decide import (
    adoption,
    aftercare,
    budget,
    climb,
    deafness,
    health,
    history,
    incident,
    kernel_log,
    links,
    listing,
    outage,
    reach,
    readings,
    reload,
    reprobe,
    speed,
    step,
    traffic,
    tune,
    uplinks,
)
from agent.decide.decision import Decision
from agent.model.actions import Action
from agent.model.facts import (
    ActionEnded,
    AdapterRead,
    ConfigRead,
    CountersRead,
    Fact,
    ForgetRequested,
    KernelLogRead,
    LinkGone,
    LinkSeen,
    LinksListed,
    NodeRead,
    ProbeEnded,
    ReadFailed,
    SourceGap,
    SpeedRead,
    Started,
    Stopping,
    TimeReached,
    UplinksRead,
)
from agent.model.identity import Stamp
from agent.model.outputs import Output, Tell
from agent.model.policy import Policy
from agent.model.state import Nic, Senses, State, StepInProgress
from agent.model.verdicts import NicForgotten


def decide(state: State, fact: Fact, policy: Policy) -> Decision:
    """Route the fact to its rule; say once what is watched; then look at what has changed."""
    after, outputs = _route(state, fact, policy)
    after, told = listing.announce(after, policy)
    time_passed = isinstance(fact, TimeReached | ConfigRead)  # either may change any judgement
    after, asked = speed.ask_where_due(state, after, fact.at, time_passed=time_passed)
    after, judged = health.judge_all(state, after, policy, fact.at, time_passed=time_passed)
    after = reprobe.answered(after, fact)
    after, climbed = climb.look(state, after, policy, fact.at, time_passed=time_passed)
    return after, (*outputs, *told, *asked, *judged, *climbed)


def _route(state: State, fact: Fact, policy: Policy) -> Decision:  # noqa: C901, PLR0912  a table, as long as there are facts
    match fact:
        case Started():
            return _started(fact, policy)
        case LinkSeen():
            state = replace(state, unheard_ns=None)
            return links.hear(state, fact.link, policy, fact.at, state.listing_asked)
        case LinkGone():
            return _link_gone(state, fact)
        case LinksListed():
            return listing.apply(state, fact, policy)
        case AdapterRead():
            return readings.adapter(state, fact, policy)
        case CountersRead():
            changed = partial(traffic.after_reading, fact=fact)
            return links.change_nic(state, fact.ifindex, changed), ()
        case SpeedRead():
            changed = partial(speed.after_reading, speed_bits=fact.speed_bits)
            return links.change_nic(state, fact.ifindex, changed), ()
        case UplinksRead():
            return uplinks.apply(state, fact, policy)
        case ProbeEnded():
            return reach.after_probe(state, fact, policy)
        case NodeRead():
            return _node_read(state, fact)
        case KernelLogRead():
            return kernel_log.apply(state, fact)
        case ReadFailed():
            return readings.failed(state, fact)
        case SourceGap(source=listing.SOURCE):
            return listing.after_gap(state, fact)
        case TimeReached():
            return _time_reached(state, fact, policy)
        case ActionEnded():
            return _action_ended(state, fact)
        case ForgetRequested():
            return _forget(state, fact)
        case ConfigRead():
            return reload.apply(state, fact, policy)
        case Stopping():
            return _stopping(state, fact)
        case _:
            return state, ()


def _started(fact: Started, policy: Policy) -> Decision:
    """Nothing is taken for granted of what was restored: the first listing confirms it."""
    state = State(version=fact.version, boot_id=fact.boot_id, blind_spots=fact.blind_spots)
    if fact.restored is not None:
        same_boot = fact.restored.boot_id == fact.boot_id
        if same_boot:
            state = replace(state, kernel_log_sequence=fact.restored.kernel_log_sequence)
        for nic in fact.restored.nics.values():
            restored = _restored(nic, fact.at, same_boot=same_boot)
            state = adoption.take_over(state, restored, policy)
    state, question = listing.ask(state)
    state, about_uplinks = uplinks.ask(state)
    wakes = (listing.wake(fact.at), reach.wake(policy, fact.at), traffic.wake(fact.at))
    return state, (question, *about_uplinks, *wakes)


def _restored(nic: Nic, at: Stamp, *, same_boot: bool) -> Nic:
    """A kernel's counts, clock and ifindexes mean nothing after a reboot; our own totals do."""
    nic = replace(nic, confirmed=False, heard_listing=0, senses=Senses())
    if same_boot:
        return step.restored(nic)
    return replace(
        incident.close(budget.after_reboot(nic, at), at, "cut_off"),
        link=None,
        loss_outstanding=False,
        down_since_ns=None,
        flap_times_ns=(),
        kernel_seen={},
        speed_bits=None,
        speed_carrier_ups=None,
        step=None,
        climb=None,
        own_driver_seen=False,  # the kernel may be another one
        routed=False,  # and so may the configuration
        tune_settled=None,
    )


def _stopping(state: State, fact: Stopping) -> Decision:
    """A step that is cut off is taken back; the daemon waits for that, within bounds."""
    outputs: list[Output] = []
    for nic in tuple(state.nics.values()):
        settled, undone = tune.take_back(outage.settle(nic, fact.at))
        state = links.with_nic(state, settled)
        outputs.extend(undone)
    return state, tuple(outputs)


def _link_gone(state: State, fact: LinkGone) -> Decision:
    state = replace(state, unheard_ns=None)
    nic = links.nic_of(state, fact.ifindex)
    outputs: tuple[Output, ...] = ()
    if nic is not None:
        state, outputs = links.depart(state, nic, observed=True)
    state = links.without_bystander(state, fact.ifindex)
    # A listing asked for before now may still show it: see rule 3.
    departed = {**state.departed, fact.ifindex: state.listing_asked}
    return replace(state, departed=departed), outputs


def _time_reached(state: State, fact: TimeReached, policy: Policy) -> Decision:
    topic, at = fact.topic, fact.at
    fixed: dict[str, Callable[[], Decision]] = {
        listing.TOPIC: lambda: listing.periodic(history.note(state, at), at),
        reach.TOPIC: lambda: reach.round_of_probes(state, policy, at),
        traffic.TOPIC: lambda: traffic.ask(state, at),
        uplinks.TOPIC: lambda: uplinks.ask(state),
        deafness.TOPIC: lambda: deafness.conclude(state, at),
    }
    if topic in fixed:
        return fixed[topic]()
    for nic in state.nics.values():
        if topic == tune.wake_topic(nic.adapter.connector):
            after, outputs = tune.after_deadline(nic)
            return links.with_nic(state, after), outputs
    return readings.again(state, topic)


def _action_ended(state: State, fact: ActionEnded) -> Decision:
    for nic in state.nics.values():
        if nic.step is not None and _is_its(nic.step, fact.action):
            ended = tune.after_action if nic.step.step == tune.STEP else step.after_action
            after, outputs = ended(nic, fact)
            return links.with_nic(state, after), outputs
    return state, ()


def _node_read(state: State, fact: NodeRead) -> Decision:
    nic = state.nics.get(fact.connector)
    return (state if nic is None else links.with_nic(state, aftercare.heard(nic, fact))), ()


def _is_its(taken: StepInProgress, action: Action) -> bool:
    """By the action itself: the NIC may be called otherwise since a reload."""
    return action.action_id == taken.action_id or action == taken.inverse


def _forget(state: State, fact: ForgetRequested) -> Decision:
    """Only one that is gone: one that is there would be found again at once."""
    for connector, nic in state.nics.items():
        if nic.nic == fact.nic and nic.link is None and nic.step is None:
            rest = {c: other for c, other in state.nics.items() if c != connector}
            return replace(state, nics=rest), (Tell(NicForgotten(nic.nic)),)
    return state, ()
