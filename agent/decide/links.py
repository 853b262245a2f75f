"""What one link's news means: a bystander at first, then perhaps a NIC, then gone."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import tune
from agent.decide.carrier import carrier_change, is_older
from agent.decide.decision import Decision
from agent.decide.matching import configured_name, is_ignored
from agent.model.facts import AdapterRead
from agent.model.identity import Adapter, Link, Stamp
from agent.model.outputs import Ask, Output, ReadAdapter, Tell
from agent.model.policy import Policy
from agent.model.state import Bystander, Nic, State
from agent.model.verdicts import (
    CarrierLost,
    CarrierReturned,
    NicDisconnected,
    NicFound,
    NicGoneUnobserved,
    NicReturned,
)


def nic_of(state: State, ifindex: int) -> Nic | None:
    """The watched NIC whose netdev this is."""
    return next((n for n in state.nics.values() if n.link and n.link.ifindex == ifindex), None)


def with_nic(state: State, nic: Nic) -> State:
    """The state with this NIC's record in place of the old one."""
    return replace(state, nics={**state.nics, nic.adapter.connector: nic})


def hear(state: State, link: Link, policy: Policy, at: Stamp, heard_listing: int) -> Decision:
    """A link appeared or changed. `heard_listing`: see rule 3 in decide/nic.py."""
    nic = nic_of(state, link.ifindex)
    if nic is not None:
        nic, outputs = _update(replace(nic, heard_listing=heard_listing), link, policy, at)
        return with_nic(state, nic), outputs
    bystander = state.bystanders.get(link.ifindex)
    if bystander is None:
        if not link.physical:
            return state, ()
        bystander = Bystander(first=link, latest=link, heard_listing=heard_listing)
        question: tuple[Output, ...] = (Ask(ReadAdapter(link.ifindex, link.device)),)
    else:
        renamed = not bystander.identified and bystander.latest.device != link.device
        question = (Ask(ReadAdapter(link.ifindex, link.device)),) if renamed else ()
        bystander = replace(bystander, latest=link, heard_listing=heard_listing)
    return _with_bystander(state, bystander), question


def identify(state: State, bystander: Bystander, fact: AdapterRead, policy: Policy) -> Decision:
    """The hardware behind a bystander was read: a USB NIC is adopted, unless it is ignored."""
    ignored = fact.adapter is not None and is_ignored(policy, fact.adapter, bystander.latest)
    if fact.adapter is not None and not ignored:
        return _adopt(state, bystander, fact.adapter, policy, fact.at)
    settled = replace(bystander, identified=True, driver=fact.driver, ignored=ignored)
    if fact.adapter is not None:
        # Known from the time before it was ignored: that record would say "gone" for ever.
        rest = {c: nic for c, nic in state.nics.items() if c != fact.adapter.connector or nic.link}
        state = replace(state, nics=rest)
    return _with_bystander(state, settled), ()


def take_over(state: State, nic: Nic, policy: Policy) -> State:
    """A NIC remembered from before a restart, as the configuration of today sees it."""
    wanted: str | None = nic.nic
    if nic.link is not None:
        if is_ignored(policy, nic.adapter, nic.link):
            return state
        wanted = configured_name(policy, nic.adapter, nic.link)
    elif any(other.nic == wanted for other in state.nics.values()):
        wanted = None  # it is away, and its name is taken
    state, name = _claim_name(state, wanted, nic.adapter.connector)
    return with_nic(state, replace(nic, nic=name))


def _adopt(
    state: State, bystander: Bystander, adapter: Adapter, policy: Policy, at: Stamp
) -> Decision:
    """A bystander turns out to be a USB NIC: its first message is the baseline."""
    first = bystander.first
    departed: tuple[Output, ...] = ()
    adapter = _in_its_own_plug(state, adapter)
    known = state.nics.get(adapter.connector)
    if known is not None and known.link is not None:
        if known.confirmed:
            # A device with two interfaces (modems have them): the first one stays the NIC.
            second = replace(bystander, driver=adapter.driver, shares=adapter.connector)
            return _with_bystander(state, replace(second, identified=True)), ()
        # Restored, and not seen since: its netdev went while nobody watched.
        state, departed = depart(state, known, observed=False)
        known = state.nics[adapter.connector]
    state = without_bystander(state, first.ifindex)
    state, name = _claim_name(state, configured_name(policy, adapter, first), adapter.connector)
    if known is None:
        known = Nic(nic=name, adapter=adapter, link=None, confirmed=False)
    told = _introduction(replace(known, nic=name, adapter=adapter), first)
    nic = replace(
        known,
        nic=name,
        adapter=adapter,
        link=first,
        confirmed=True,
        heard_listing=bystander.heard_listing,
        loss_outstanding=False,
    )
    nic, changes = _update(nic, bystander.latest, policy, at)
    return with_nic(state, nic), (*departed, told, *changes)


def _in_its_own_plug(state: State, adapter: Adapter) -> Adapter:
    """Two plugs can have one name: a USB 2 port and a USB 3 port without a peer, both number 5."""
    known = state.nics.get(adapter.connector)
    if known is None or known.link is None or not known.confirmed:
        return adapter
    if known.adapter.usb_path == adapter.usb_path:
        return adapter
    return replace(adapter, connector=f"{adapter.connector}@{adapter.usb_path}")


def depart(state: State, nic: Nic, *, observed: bool) -> Decision:
    """The netdev of a NIC is gone; unobserved, it is also a gap in what is known."""
    if nic.link is None:
        return state, ()
    device, ifindex = nic.link.device, nic.link.ifindex
    disconnects = nic.disconnects_total + 1
    gaps = nic.unobserved_gaps_total + (0 if observed else 1)
    told: NicDisconnected | NicGoneUnobserved
    if observed:
        told = NicDisconnected(nic.nic, device, ifindex, disconnects)
    else:
        told = NicGoneUnobserved(nic.nic, device, ifindex, disconnects, gaps)
    nic, step_outputs = tune.after_disconnect(nic)
    nic = replace(
        nic,
        link=None,
        confirmed=True,
        loss_outstanding=False,
        disconnects_total=disconnects,
        unobserved_gaps_total=gaps,
    )
    state, second_looks = _look_again(with_nic(state, nic), nic.adapter.connector)
    return state, (Tell(told), *step_outputs, *second_looks)


def _look_again(state: State, connector: str) -> Decision:
    """The NIC went: another interface of the same device may be all that is left of it."""
    outputs: list[Output] = []
    for bystander in state.bystanders.values():
        if bystander.shares == connector:
            link = bystander.latest
            # What its link did before it was anybody's NIC is nobody's loss: a new baseline.
            candidate = replace(bystander, first=link, identified=False, shares=None)
            state = _with_bystander(state, candidate)
            outputs.append(Ask(ReadAdapter(link.ifindex, link.device)))
    return state, tuple(outputs)


def without_bystander(state: State, ifindex: int) -> State:
    """The state without this bystander, if it was one."""
    rest = {index: b for index, b in state.bystanders.items() if index != ifindex}
    return replace(state, bystanders=rest)


def _update(nic: Nic, link: Link, policy: Policy, at: Stamp) -> tuple[Nic, tuple[Output, ...]]:
    """The same netdev, a later message."""
    before = nic.link
    if before is None or is_older(link, before):
        return nic, ()
    outputs: list[Output] = []
    if not nic.confirmed:
        outputs.append(_introduction(nic, link))
        # A step that a restart cut off: nobody knows what became of it, so look.
        nic, verification = tune.verify(nic, at)
        outputs.extend(verification)
    change = carrier_change(before, link, nic.loss_outstanding)
    nic = replace(
        nic,
        link=link,
        confirmed=True,
        loss_outstanding=change.outstanding,
        carrier_losses_total=nic.carrier_losses_total + change.losses,
        flaps_total=nic.flaps_total + change.returns,
        last_carrier_change_wall_ns=at.wall_ns
        if change.changed
        else nic.last_carrier_change_wall_ns,
    )
    if change.losses:
        lost = CarrierLost(
            nic.nic, link.device, change.losses, nic.carrier_losses_total, link.carrier
        )
        outputs.append(Tell(lost))
    if change.returns and link.carrier:
        outputs.append(Tell(CarrierReturned(nic.nic, link.device, nic.flaps_total)))
    nic, step_outputs = tune.consider(nic, policy, at)
    return nic, (*outputs, *step_outputs)


def _introduction(nic: Nic, link: Link) -> Tell:
    """A NIC that went before our eyes returns; any other is found."""
    adapter = nic.adapter
    if nic.link is None and nic.confirmed:
        return Tell(NicReturned(nic.nic, link.device, adapter.driver, link.ifindex, link.carrier))
    return Tell(
        NicFound(
            nic.nic,
            link.device,
            adapter.driver,
            adapter.vendor_id,
            adapter.product_id,
            link.mac,
            adapter.usb_speed_bits,
            link.carrier,
        )
    )


def _with_bystander(state: State, bystander: Bystander) -> State:
    ifindex = bystander.latest.ifindex
    return replace(state, bystanders={**state.bystanders, ifindex: bystander})


def _claim_name(state: State, wanted: str | None, connector: str) -> tuple[State, str]:
    """Two NICs never share a name: one that is away gives it up, one that is here keeps it."""
    if wanted is None:
        return state, connector
    for other in state.nics.values():
        if other.nic == wanted and other.adapter.connector != connector:
            if other.link is not None:
                return state, connector
            state = with_nic(state, replace(other, nic=other.adapter.connector))
    return state, wanted
