"""Which link leads where: the NIC itself, or the bridge, bond or VLAN that it is a port of."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import adoption, links
from agent.decide.carrier import is_up
from agent.decide.decision import Decision
from agent.model.facts import UplinksRead
from agent.model.identity import Stamp, Uplink
from agent.model.outputs import Ask, Output, ReadUplinks
from agent.model.policy import Policy
from agent.model.state import Nic, Reach, Senses, State

TOPIC = links.ROUTES_TOPIC


def ask(state: State) -> Decision:
    """Ask, unless an answer is on its way."""
    if state.uplinks_asked:
        return state, ()
    return replace(state, uplinks_asked=True), (Ask(ReadUplinks()),)


def apply(state: State, fact: UplinksRead, policy: Policy) -> Decision:
    """Take in the answer; whatever carries the default route is watched from now on."""
    found = {uplink.ifindex: uplink for uplink in fact.uplinks}
    state = replace(state, uplinks=found, uplinks_asked=False, uplinks_answered=True)
    for nic in tuple(state.nics.values()):
        if nic.link is not None:
            led = _led(_read(nic, fact.at), found.get(nic.link.ifindex))
            state = links.with_nic(state, _routed(_addressed(led, fact.at), fact.at))
    outputs: list[Output] = []
    if any(_leads_nowhere(nic.senses) for nic in state.nics.values()):
        outputs.append(links.routes_follow(fact.at))
    for bystander in tuple(state.bystanders.values()):
        state, more = adoption.consider(state, bystander, policy, fact.at)
        outputs.extend(more)
    return state, tuple(outputs)


def _read(nic: Nic, at: Stamp) -> Nic:
    return replace(nic, senses=replace(nic.senses, uplink_ns=at.boottime_ns))


def _led(nic: Nic, uplink: Uplink | None) -> Nic:
    senses = nic.senses
    if uplink == senses.uplink:
        return nic
    before = senses.uplink
    if before is None or uplink is None or uplink.gateway != before.gateway:
        senses = replace(senses, reach=Reach())
    seen = nic.uplink_seen or (uplink is not None and uplink.default_route)
    return replace(nic, senses=replace(senses, uplink=uplink), uplink_seen=seen)


def _leads_nowhere(senses: Senses) -> bool:
    return senses.unaddressed_since_ns is not None or senses.unrouted_since_ns is not None


def _routed(nic: Nic, at: Stamp) -> Nic:
    """Since when it has had an address alone, as the one that the node's default route went by.

    networkd gives up on a link whose carrier goes while it sets the route, and leaves it so when
    the carrier is back (systemd 252: "Could not set route: Nexthop has invalid gateway", "Failed").
    """
    senses, uplink = nic.senses, nic.senses.uplink
    routed, since_ns = nic.routed, None
    if uplink is None or uplink.addressed is not True or nic.link is None or not is_up(nic.link):
        pass  # nothing is to be seen of routes
    elif uplink.default_route or uplink.default_elsewhere:
        routed = uplink.default_route
    elif routed:
        since_ns = senses.unrouted_since_ns
        since_ns = at.boottime_ns if since_ns is None else since_ns
    if (routed, since_ns) == (nic.routed, senses.unrouted_since_ns):
        return nic
    return replace(nic, routed=routed, senses=replace(senses, unrouted_since_ns=since_ns))


def _addressed(nic: Nic, at: Stamp) -> Nic:
    """Since when it has had no address, as one that has a carrier and led somewhere once."""
    senses, uplink = nic.senses, nic.senses.uplink
    if uplink is None or uplink.addressed is None or nic.link is None or not is_up(nic.link):
        since_ns, was_addressed = None, False
    elif uplink.addressed:
        since_ns, was_addressed = None, True
    else:
        since_ns = senses.unaddressed_since_ns
        since_ns = at.boottime_ns if since_ns is None and nic.uplink_seen else since_ns
        was_addressed = senses.was_addressed
    found = (since_ns, was_addressed)
    if found == (senses.unaddressed_since_ns, senses.was_addressed):
        return nic
    senses = replace(senses, unaddressed_since_ns=since_ns, was_addressed=was_addressed)
    return replace(nic, senses=senses)
