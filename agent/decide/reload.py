"""Another policy: which NICs are watched by it, what they are called, and how they fare now."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import adoption, links, reach
from agent.decide.decision import Decision
from agent.decide.matching import is_ignored
from agent.model.facts import ConfigRead
from agent.model.outputs import Ask, Output, ReadAdapter
from agent.model.policy import Policy
from agent.model.state import Bystander, Nic, State


def apply(state: State, fact: ConfigRead, policy: Policy) -> Decision:
    """Counts and carrier stay: only what the configuration says of a NIC is asked anew."""
    if fact.policy is None:  # another file, which says nothing of NICs
        return state, ()
    known = tuple(state.nics.values())
    state = replace(state, nics={})
    for nic in known:
        mac = nic.link.mac if nic.link else nic.permanent_mac
        if nic.step is not None:
            state = links.with_nic(state, nic)  # not before what is under way has come to its end
        elif is_ignored(policy, nic.adapter, mac):
            state = _ignored(state, nic)
        else:
            state = adoption.take_over(state, _judged_by(policy, nic), policy)
    outputs: list[Output] = [reach.wake(policy, fact.at)]
    for bystander in tuple(state.bystanders.values()):
        mac = bystander.latest.mac
        if bystander.ignored and not _still_ignored(bystander, policy, mac):
            again = replace(bystander, first=bystander.latest, identified=False, ignored=False)
            state = links.with_bystander(state, again)
            outputs.append(Ask(ReadAdapter(bystander.latest.ifindex, bystander.latest.device)))
    # A reading of its hardware is where a step that is due by now is considered.
    present = (nic.link for nic in state.nics.values() if nic.link is not None)
    outputs.extend(Ask(ReadAdapter(link.ifindex, link.device)) for link in present)
    return state, tuple(outputs)


def _judged_by(policy: Policy, nic: Nic) -> Nic:
    """One that does not matter any more is not judged any more."""
    if reach.is_judged(nic, policy):
        return nic
    return replace(nic, senses=replace(nic.senses, health=None))


def _ignored(state: State, nic: Nic) -> State:
    """Not a NIC any more; where it is there, it is seen and left alone, as from a start."""
    link = nic.link
    if link is None:
        return state
    bystander = Bystander(
        link, link, nic.heard_listing, identified=True, adapter=nic.adapter, ignored=True
    )
    return links.with_bystander(state, bystander)


def _still_ignored(bystander: Bystander, policy: Policy, mac: str) -> bool:
    return bystander.adapter is not None and is_ignored(policy, bystander.adapter, mac)
