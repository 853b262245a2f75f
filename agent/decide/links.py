"""What one link's news means: for a NIC that is watched, and for a bystander."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent.decide import outage, tune
from agent.decide.carrier import CarrierChange, carrier_change, carries, is_older, is_up
from agent.decide.decision import SECOND_NS, Decision, NicDecision
from agent.decide.own_doing import is_own_doing
from agent.model.identity import Link, Stamp
from agent.model.outputs import Ask, Output, ReadAdapter, Tell, Wake
from agent.model.policy import FLAPS_MAX, Policy
from agent.model.state import Bystander, Nic, Reach, Senses, State
from agent.model.verdicts import (
    CarrierLost,
    CarrierReturned,
    NicDisconnected,
    NicFound,
    NicGoneUnobserved,
    NicReturned,
)

ROUTES_TOPIC, ROUTES_SECONDS = "uplinks", 3


def nic_of(state: State, ifindex: int) -> Nic | None:
    """The watched NIC whose netdev this is."""
    return next((n for n in state.nics.values() if n.link and n.link.ifindex == ifindex), None)


def with_nic(state: State, nic: Nic) -> State:
    """The state with this NIC's record in place of the old one."""
    return replace(state, nics={**state.nics, nic.adapter.connector: nic})


def change_nic(state: State, ifindex: int, change: Callable[[Nic], Nic]) -> State:
    """The NIC whose netdev this is, changed; a netdev that is gone by now changes nothing."""
    nic = nic_of(state, ifindex)
    return state if nic is None else with_nic(state, change(nic))


def look_after(
    before: State, after: State, look: Callable[[Nic], NicDecision], *, everything: bool
) -> Decision:
    """Look at each NIC that a fact has changed, or at everything."""
    outputs: list[Output] = []
    for connector, nic in tuple(after.nics.items()):
        if everything or nic is not before.nics.get(connector):
            looked_at, more = look(nic)
            outputs.extend(more)
            if looked_at is not nic:
                after = with_nic(after, looked_at)
    return after, tuple(outputs)


def with_bystander(state: State, bystander: Bystander) -> State:
    """The state with this bystander's record in place of the old one."""
    ifindex = bystander.latest.ifindex
    return replace(state, bystanders={**state.bystanders, ifindex: bystander})


def without_bystander(state: State, ifindex: int) -> State:
    """The state without this bystander, if it was one."""
    rest = {index: b for index, b in state.bystanders.items() if index != ifindex}
    return replace(state, bystanders=rest)


def hear(state: State, link: Link, policy: Policy, at: Stamp, heard_listing: int) -> Decision:
    """A link appeared or changed. `heard_listing`: see rule 3 in decide/nic.py."""
    nic = nic_of(state, link.ifindex)
    if nic is not None:
        nic, outputs = update(replace(nic, heard_listing=heard_listing), link, policy, at)
        return with_nic(state, nic), outputs
    bystander = state.bystanders.get(link.ifindex)
    if bystander is None:
        if not link.physical:
            return state, ()
        bystander = Bystander(link, link, heard_listing, seen_ns=at.boottime_ns)
        question: tuple[Output, ...] = (Ask(ReadAdapter(link.ifindex, link.device)),)
    else:
        renamed = not bystander.identified and bystander.latest.device != link.device
        question = (Ask(ReadAdapter(link.ifindex, link.device)),) if renamed else ()
        bystander = replace(bystander, latest=link, heard_listing=heard_listing)
    return with_bystander(state, bystander), question


def update(nic: Nic, link: Link, policy: Policy, at: Stamp) -> NicDecision:
    """The same netdev, a later message."""
    before = nic.link
    if before is None or is_older(link, before):
        return nic, ()
    outputs: list[Output] = []
    if not nic.confirmed:
        outputs.append(introduction(nic, link))
        # A step that a restart cut off: nobody knows what became of it, so look.
        nic, verification = tune.verify(nic, at)
        outputs.extend(verification)
    change = carrier_change(before, link, nic.loss_outstanding)
    if change.changed and not nic.confirmed:
        nic = outage.lost_from_sight(nic)
    nic = replace(nic, link=link, confirmed=True, was_up=nic.was_up or link.admin_up)
    nic, told = (_brought_back if is_own_doing(nic) else _counted)(nic, change, at)
    outputs.extend(told)
    nic = _sensed(nic, before, change)
    if is_up(link) and change.changed:
        outputs.append(routes_follow(at))
    nic, step_outputs = tune.consider(nic, policy, at)
    return nic, (*outputs, *step_outputs)


def routes_follow(at: Stamp) -> Wake:
    """A carrier is there: networkd or NetworkManager need a moment, then routes are there too."""
    return Wake(at.boottime_ns + ROUTES_SECONDS * SECOND_NS, ROUTES_TOPIC)


def _counted(nic: Nic, change: CarrierChange, at: Stamp) -> NicDecision:
    link = nic.link
    if link is None:
        return nic, ()
    new_flaps = (at.boottime_ns,) * min(change.returns, FLAPS_MAX)
    nic = replace(
        nic,
        loss_outstanding=change.outstanding,
        carrier_losses_total=nic.carrier_losses_total + change.losses,
        flaps_total=nic.flaps_total + change.returns,
        flap_times_ns=(*nic.flap_times_ns, *new_flaps)[-FLAPS_MAX:],
        last_carrier_change_wall_ns=at.wall_ns
        if change.changed
        else nic.last_carrier_change_wall_ns,
    )
    outputs: list[Output] = []
    device, carrier, losses = link.device, link.carrier, nic.carrier_losses_total
    if change.losses:
        outputs.append(Tell(CarrierLost(nic.nic, device, change.losses, losses, carrier)))
    if change.returns and carrier:
        outputs.append(Tell(CarrierReturned(nic.nic, device, nic.flaps_total)))
    return nic, tuple(outputs)


def _brought_back(nic: Nic, _change: CarrierChange, at: Stamp) -> NicDecision:
    """What a step does on its way counts for nothing, but a loss from before it may end."""
    if nic.link is None or not nic.loss_outstanding or not is_up(nic.link):
        return nic, ()
    flap = CarrierChange(0, 1, outstanding=False, changed=True)
    return _counted(nic, flap, at)


def _sensed(nic: Nic, before: Link, change: CarrierChange) -> Nic:
    """What was found out about the carrier that there was says nothing of the one there is."""
    if nic.link is None:
        return nic
    was_set_up = nic.link.admin_up and not before.admin_up
    if change.changed or was_set_up:
        # The driver was told of the link, or asks to be told again (r8152's ndo_open).
        seen = {c: s for c, s in nic.kernel_seen.items() if c != "interrupt_stopped"}
        nic = replace(nic, kernel_seen=seen)
    if change.changed or not carries(nic):
        senses = replace(nic.senses, reach=Reach(), speed_asked=False)
        senses = replace(senses, was_addressed=False, uplink_ns=None)
        senses = replace(senses, unaddressed_since_ns=None, unrouted_since_ns=None)
        nic = replace(nic, senses=senses, speed_bits=None, speed_carrier_ups=None)
    return nic


def depart(state: State, nic: Nic, *, observed: bool) -> Decision:
    """The netdev of a NIC is gone; unobserved, it is also a gap in what is known."""
    if nic.link is None:
        return state, ()
    device, ifindex = nic.link.device, nic.link.ifindex
    ours = is_own_doing(nic)
    disconnects = nic.disconnects_total + (0 if ours else 1)
    gaps = nic.unobserved_gaps_total + (0 if observed or ours else 1)
    told: tuple[Output, ...] = ()
    if observed and not ours:
        told = (Tell(NicDisconnected(nic.nic, device, ifindex, disconnects)),)
    elif not ours:
        told = (Tell(NicGoneUnobserved(nic.nic, device, ifindex, disconnects, gaps)),)
    nic, step_outputs = tune.after_disconnect(nic)
    nic = replace(
        nic,
        link=None,
        confirmed=True,
        loss_outstanding=False,
        disconnects_total=disconnects,
        unobserved_gaps_total=gaps,
        speed_bits=None,
        speed_carrier_ups=None,
        senses=Senses(health=nic.senses.health),
    )
    state, second_looks = _look_again(with_nic(state, nic), nic.adapter.connector)
    return state, (*told, *step_outputs, *second_looks)


def _look_again(state: State, connector: str) -> Decision:
    """The NIC went: another interface of the same device may be all that is left of it."""
    outputs: list[Output] = []
    for bystander in state.bystanders.values():
        if bystander.shares == connector:
            link = bystander.latest
            # What its link did before it was anybody's NIC is nobody's loss: a new baseline.
            candidate = replace(bystander, first=link, identified=False, adapter=None, shares=None)
            state = with_bystander(state, candidate)
            outputs.append(Ask(ReadAdapter(link.ifindex, link.device)))
    return state, tuple(outputs)


def introduction(nic: Nic, link: Link) -> Tell:
    """A NIC that went before our eyes returns; any other is found."""
    adapter = nic.adapter
    if nic.link is None and nic.confirmed:
        return Tell(NicReturned(nic.nic, link.device, adapter.driver, link.ifindex, link.carrier))
    return Tell(
        NicFound(
            nic.nic,
            link.device,
            adapter.bus,
            adapter.driver,
            adapter.vendor_id,
            adapter.product_id,
            link.mac,
            adapter.usb_speed_bits,
            link.carrier,
        )
    )
