"""Whether the gateway answers on this NIC. Silence is the weakest evidence there is.

A gateway that never answered is unknown, not unreachable: some do not answer ARP. One that used
to answer and does not any more is unreachable, which a router that restarts is as well. Misses
are counted, not seconds: a machine that was paused or starved has not probed meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide.carrier import carries, is_up
from agent.decide.decision import SECOND_NS, Decision, NicDecision
from agent.decide.links import nic_of, with_nic
from agent.decide.matching import is_matched
from agent.model.facts import ProbeEnded
from agent.model.identity import Counters, Stamp
from agent.model.outputs import Ask, Output, Probe, ReadCounters, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Nic, Reach, State
from agent.model.verdicts import NicReachable, NicUnreachable

TOPIC = "probe"
MISSES_UNREACHABLE = 5  # while nothing arrives
MISSES_UNREACHABLE_THOUGH_ARRIVING = 15  # a busy link may lose a few
SILENCE_WEDGED_NS = 60_000_000_000
WITNESS_SECONDS = 300
PROBE_SECONDS_MAX = 1  # an answer may be to a probe that was sent so long before


def is_judged(nic: Nic, policy: Policy) -> bool:
    """Whether it matters: matched by the configuration, or once seen with a default route."""
    mac = nic.link.mac if nic.link is not None else nic.permanent_mac
    return nic.uplink_seen or is_matched(policy, nic.adapter, mac)


def target_of(nic: Nic, policy: Policy) -> str | None:
    """Whom to ask on this NIC; None where there is nobody known."""
    uplink = nic.senses.uplink
    if uplink is None:
        return None
    return uplink.gateway if policy.probe.target == "gateway" else policy.probe.target


def witness_of(nic: Nic) -> str | None:
    """Whom to ask besides the gateway; None where nobody is known that ever answered here."""
    uplink = nic.senses.uplink
    known = uplink is not None and uplink.witness == nic.witness_known != ""
    return nic.witness_known if known and nic.witness_known != nic.gateway_known else None


def wake(policy: Policy, at: Stamp) -> Wake:
    """When the next round of probes is due."""
    return Wake(at.boottime_ns + policy.probe.interval_ns, TOPIC)


def round_of_probes(state: State, policy: Policy, at: Stamp) -> Decision:
    """Probe on every judged NIC that could get an answer."""
    outputs: list[Output] = [wake(policy, at)]
    for nic in tuple(state.nics.values()):
        if nic.confirmed and not nic.senses.reach.asked and is_judged(nic, policy):
            asking, asked = _ask(nic, policy, at)
            outputs.extend(asked)
            state = with_nic(state, asking) if asking is not nic else state
    return state, tuple(outputs)


def _ask(nic: Nic, policy: Policy, at: Stamp) -> NicDecision:
    link, uplink, target = nic.link, nic.senses.uplink, target_of(nic, policy)
    if link is None or uplink is None or target is None or not is_up(link):
        return nic, ()
    question = Probe(link.ifindex, uplink.layer3_device, target, policy.probe.timeout_ns)
    nic = _with_reach(nic, replace(nic.senses.reach, asked=True))
    if uplink.witness is None or not _is_witness_due(nic, at):
        return nic, (Ask(question),)
    nic = replace(nic, senses=replace(nic.senses, witness_asked_ns=at.boottime_ns))
    return nic, (Ask(question), Ask(replace(question, target=uplink.witness)))


def _is_witness_due(nic: Nic, at: Stamp) -> bool:
    """Now and then, while all is well: only who used to answer bears witness by silence."""
    asked_ns, reach = nic.senses.witness_asked_ns, nic.senses.reach
    due = asked_ns is None or at.boottime_ns - asked_ns >= WITNESS_SECONDS * SECOND_NS
    return due and reach.reachable is True


def after_counters_failed(nic: Nic) -> Nic:
    """What arrives is not known from now on."""
    return _with_reach(nic, replace(nic.senses.reach, rx_packets=None))


def after_failure(nic: Nic) -> Nic:
    """Nobody could be asked: that is neither an answer nor a silence."""
    return _with_reach(nic, replace(nic.senses.reach, asked=False))


def after_probe(state: State, fact: ProbeEnded, policy: Policy) -> Decision:
    """One answer, or one silence more."""
    nic = nic_of(state, fact.ifindex)
    if nic is None or not carries(nic):
        return state, ()  # about a link that is not any more
    uplink = nic.senses.uplink
    if uplink is not None and fact.target == uplink.witness:
        reach = nic.senses.reach
        is_well = reach.reachable is True and not reach.misses
        if fact.answered or is_well:
            # Silent already while all was well, it bears no witness when the gateway falls silent.
            nic = replace(nic, witness_known=fact.target if fact.answered else "")
            state = with_nic(state, nic)
    if fact.target != target_of(nic, policy):
        return state, ()  # about a gateway that is not any more
    nic, outputs = _answered(nic, fact) if fact.answered else _missed(nic, fact)
    return with_nic(state, nic), outputs


def after_counters(nic: Nic, counters: Counters) -> Nic:
    """Whether packets arrive while the gateway is silent."""
    reach = nic.senses.reach
    if not reach.misses:
        return nic
    if counters.rx_packets != reach.rx_packets:
        moved = reach.rx_packets is not None
        still_misses = 0 if moved else reach.still_misses
        reach = replace(reach, rx_packets=counters.rx_packets, still_misses=still_misses)
    return _with_reach(nic, reach)


def silence_in_words(nic: Nic, policy: Policy) -> str | None:
    """The evidence of a wedge by silence alone, None where there is none."""
    reach = nic.senses.reach
    silent_ns = reach.still_misses * policy.probe.interval_ns
    if reach.reachable is not False or silent_ns < SILENCE_WEDGED_NS:
        return None
    if reach.rx_packets is None:
        return None  # nobody knows whether anything arrived
    return (
        f"{nic.gateway_known} used to answer on this NIC and did not answer the last "
        f"{reach.misses} times; not one packet of anybody arrived in {silent_ns // SECOND_NS} s"
    )


def _answered(nic: Nic, fact: ProbeEnded) -> NicDecision:
    outputs: tuple[Output, ...] = ()
    if nic.senses.reach.reachable is False and nic.link is not None:
        outputs = (Tell(NicReachable(nic.nic, nic.link.device, fact.target)),)
    device = nic.link.device if nic.link is not None else nic.device_known
    nic = replace(_proven(nic, fact.at), gateway_known=fact.target, device_known=device)
    return _with_reach(nic, Reach(reachable=True, answered_ns=fact.at.boottime_ns)), outputs


def received(nic: Nic, since_ns: int) -> Nic:
    """Packets arrived since then: a driver that gave up before that takes none (r8152.c)."""
    gave_up = nic.kernel_seen.get("gave_up")
    if gave_up is None or gave_up.boottime_ns >= since_ns:
        return nic
    rest = {name: seen for name, seen in nic.kernel_seen.items() if name != "gave_up"}
    return replace(nic, kernel_seen=rest)


def _proven(nic: Nic, at: Stamp) -> Nic:
    """Packets pass, whatever was said before the probe went out: that is settled for good."""
    before_ns = at.boottime_ns - PROBE_SECONDS_MAX * SECOND_NS
    nic, timeout_ns = received(nic, before_ns), nic.senses.tx_timeout_ns
    if timeout_ns is not None and timeout_ns < before_ns:
        nic = replace(nic, senses=replace(nic.senses, tx_timeout_ns=None))
    return nic


def _with_reach(nic: Nic, reach: Reach) -> Nic:
    return replace(nic, senses=replace(nic.senses, reach=reach))


def _missed(nic: Nic, fact: ProbeEnded) -> NicDecision:
    if nic.link is None:
        return nic, ()
    before = nic.senses.reach
    reach = replace(before, misses=before.misses + 1, still_misses=before.still_misses + 1)
    outputs: list[Output] = [Ask(ReadCounters(nic.link.ifindex, nic.link.device))]
    used_to_answer = nic.gateway_known == fact.target
    nothing_arrives = reach.still_misses >= MISSES_UNREACHABLE and reach.rx_packets is not None
    if used_to_answer and (nothing_arrives or reach.misses >= MISSES_UNREACHABLE_THOUGH_ARRIVING):
        if reach.reachable is not False:
            arriving = "not one packet" if nothing_arrives else "packets of others"
            told = NicUnreachable(nic.nic, nic.link.device, fact.target, reach.misses, arriving)
            outputs.append(Tell(told))
        reach = replace(reach, reachable=False)
    return _with_reach(nic, replace(reach, asked=False)), tuple(outputs)
