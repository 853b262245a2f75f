"""How a bystander becomes a watched NIC, and how a NIC is known again.

A NIC is known by the connector it is plugged into. Under it the interface, its number, its
name, the bus and even the MAC may change. Two things overrule the connector: the permanent MAC
of a NIC that is missing elsewhere (it moved, and its history follows), and another permanent
MAC in the same connector (another adapter).
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide import incident, links, outage, step
from agent.decide.decision import SECOND_NS, Decision
from agent.decide.matching import configured_name, is_ignored, is_usb
from agent.decide.r8152 import DRIVER, is_on_generic_driver
from agent.model.identity import Adapter, Link, Stamp
from agent.model.outputs import Output, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Bystander, Nic, Senses, State
from agent.model.verdicts import NicMoved, NicReplaced

READ_TOPIC = "read:"  # a Wake for another look at the hardware behind a link
PASSING_SECONDS = 2


def identify(
    state: State, bystander: Bystander, adapter: Adapter | None, policy: Policy, at: Stamp
) -> Decision:
    """The hardware behind a bystander was read."""
    settles_ns = bystander.seen_ns + PASSING_SECONDS * SECOND_NS
    if adapter is not None and is_on_generic_driver(adapter) and at.boottime_ns < settles_ns:
        # A Realtek adapter begins in its second configuration and is switched over within a
        # moment: adopted already, that would be a disconnect. If it stays, it is what it is.
        return state, (Wake(settles_ns, f"{READ_TOPIC}{bystander.latest.ifindex}"),)
    ignored = adapter is not None and is_ignored(policy, adapter, bystander.latest.mac)
    if adapter is not None and ignored:
        # Known from the time before it was ignored: that record would say "gone" for ever.
        rest = {c: nic for c, nic in state.nics.items() if c != adapter.connector or nic.link}
        state = replace(state, nics=rest)
    settled = replace(bystander, identified=True, adapter=adapter, ignored=ignored)
    return consider(links.with_bystander(state, settled), settled, policy, at)


def consider(state: State, bystander: Bystander, policy: Policy, at: Stamp) -> Decision:
    """Watch it if it is a USB NIC, or whatever carries the default route, or was watched before."""
    adapter = bystander.adapter
    if adapter is None or bystander.ignored or bystander.shares:
        return state, ()
    uplink = state.uplinks.get(bystander.latest.ifindex)
    carries_default_route = uplink is not None and uplink.default_route
    if is_usb(adapter) or carries_default_route or adapter.connector in state.nics:
        return _adopt(state, bystander, adapter, policy, at)
    return state, ()


def take_over(state: State, nic: Nic, policy: Policy) -> State:
    """A NIC remembered from before a restart, as the configuration of today sees it."""
    wanted: str | None = nic.nic
    if is_ignored(policy, nic.adapter, nic.link.mac if nic.link else nic.permanent_mac):
        return state
    if nic.link is not None:
        wanted = configured_name(policy, nic.adapter, nic.link.mac)
    elif any(other.nic == wanted for other in state.nics.values()):
        wanted = None  # it is away, and its name is taken
    state, name = _claim_name(state, wanted, nic.adapter.connector)
    return links.with_nic(state, replace(nic, nic=name))


def _adopt(
    state: State, bystander: Bystander, adapter: Adapter, policy: Policy, at: Stamp
) -> Decision:
    """A bystander turns out to be a NIC to watch: its first message is the baseline."""
    first = bystander.first
    adapter = _in_its_own_plug(state, adapter)
    known = state.nics.get(adapter.connector)
    departed: tuple[Output, ...] = ()
    if known is not None and known.link is not None:
        if known.confirmed:
            # A device with two interfaces (modems have them): the first one stays the NIC.
            second = replace(bystander, adapter=adapter, shares=adapter.connector)
            return links.with_bystander(state, replace(second, identified=True)), ()
        # Restored, and not seen since: its netdev went while nobody watched.
        state, departed = links.depart(state, known, observed=False)
    state = links.without_bystander(state, first.ifindex)
    state, moved_from, left = _follow(state, adapter, first)
    state, name = _claim_name(state, configured_name(policy, adapter, first.mac), adapter.connector)
    known = state.nics.get(adapter.connector)
    if known is None:
        known = Nic(nic=name, adapter=adapter, link=None, confirmed=False, known_since=at)
    known, told = _recognized(replace(known, nic=name), adapter, first, moved_from, at)
    uplink = state.uplinks.get(first.ifindex)
    nic = replace(
        known if known.confirmed else outage.lost_from_sight(known),
        adapter=adapter,
        link=first,
        confirmed=True,
        was_up=first.admin_up,
        heard_listing=bystander.heard_listing,
        loss_outstanding=False,
        permanent_mac=first.permanent_mac or known.permanent_mac,
        best_usb_speed_bits=max(known.best_usb_speed_bits, adapter.usb_speed_bits),
        own_driver_seen=known.own_driver_seen or adapter.driver == DRIVER,
        uplink_seen=known.uplink_seen or (uplink is not None and uplink.default_route),
        routed=known.routed or (uplink is not None and uplink.gateway is not None),
        senses=Senses(
            uplink=uplink,
            health=known.senses.health,
            was_addressed=uplink is not None and uplink.addressed is True,
        ),
    )
    nic, changes = links.update(nic, bystander.latest, policy, at)
    return links.with_nic(state, nic), (*departed, *left, *told, *changes, links.routes_follow(at))


def _in_its_own_plug(state: State, adapter: Adapter) -> Adapter:
    """Two plugs can have one name: a USB 2 port and a USB 3 port without a peer, both number 5."""
    known = state.nics.get(adapter.connector)
    if known is None or known.link is None or not known.confirmed:
        return adapter
    if known.adapter.usb_path == adapter.usb_path:
        return adapter
    return replace(adapter, connector=f"{adapter.connector}@{adapter.usb_path}")


def _follow(
    state: State, adapter: Adapter, link: Link
) -> tuple[State, str | None, tuple[Output, ...]]:
    """Where the same MAC is missing elsewhere: its record, moved here; and from where."""
    here = state.nics.get(adapter.connector)
    mac = link.permanent_mac
    if not mac or (here is not None and here.permanent_mac == mac):
        return state, None, ()
    same = (n for n in state.nics.values() if n.permanent_mac == mac)
    former = next((n for n in same if n.link is None or not n.confirmed), None)
    if former is None:
        return state, None, ()
    left: tuple[Output, ...] = ()
    if former.link is not None:  # restored, and it moved while nobody watched
        state, left = links.depart(state, former, observed=False)
        former = state.nics[former.adapter.connector]
    nics = {c: nic for c, nic in state.nics.items() if nic is not former and nic is not here}
    if here is not None:
        # The one that was here is missing, too: it keeps its history, for when it turns up.
        aside = f"{adapter.connector}@{here.permanent_mac or 'unknown'}"
        nowhere = replace(here.adapter, usb_path="", companion_path="")
        nics[aside] = _moved(replace(here, adapter=nowhere), aside)
    nics[adapter.connector] = _moved(former, adapter.connector)
    return replace(state, nics=nics), former.adapter.connector, left


def _moved(nic: Nic, connector: str) -> Nic:
    name = connector if nic.nic == nic.adapter.connector else nic.nic
    return replace(nic, nic=name, adapter=replace(nic.adapter, connector=connector))


def _recognized(
    known: Nic, adapter: Adapter, link: Link, moved_from: str | None, at: Stamp
) -> tuple[Nic, tuple[Output, ...]]:
    told: list[Output] = []
    if moved_from is not None:
        moved = NicMoved(known.nic, link.device, link.mac, moved_from, adapter.connector)
        told.append(Tell(moved))
    elif known.permanent_mac and link.permanent_mac not in ("", known.permanent_mac):
        replaced = NicReplaced(known.nic, link.device, known.permanent_mac, link.permanent_mac)
        told.append(Tell(replaced))
        # What is known of the old adapter is no expectation of the new one.
        known = replace(known, best_usb_speed_bits=0, kernel_seen={}, tune_settled=None)
        known = replace(incident.close(known, at, "cut_off"), steps_taken=(), own_driver_seen=False)
        known, undone = step.given_up(known, at)
        told.extend(undone)
    known = replace(known, adapter=adapter)
    return known, (links.introduction(known, link), *told)


def _claim_name(state: State, wanted: str | None, connector: str) -> tuple[State, str]:
    """Two NICs never share a name: one that is away gives it up, one that is here keeps it."""
    if wanted is None:
        return state, connector
    for other in state.nics.values():
        if other.nic == wanted and other.adapter.connector != connector:
            if other.link is not None:
                return state, connector
            state = links.with_nic(state, replace(other, nic=other.adapter.connector))
    return state, wanted
