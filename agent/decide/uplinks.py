"""Which link leads where: the NIC itself, or the bridge, bond or VLAN that it is a port of."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import addressing, adoption, links
from agent.decide.decision import Decision
from agent.model.facts import UplinksRead
from agent.model.identity import Stamp, Uplink
from agent.model.outputs import Ask, Output, ReadUplinks
from agent.model.policy import Policy
from agent.model.state import Nic, Reach, State

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
            state = links.with_nic(state, addressing.follow(led, fact.at))
    outputs: list[Output] = []
    if any(addressing.leads_nowhere(nic) for nic in state.nics.values()):
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
