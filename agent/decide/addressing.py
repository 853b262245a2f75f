"""Whether a NIC has its address and the node its default route by it, and since when not."""

from __future__ import annotations

from dataclasses import replace

from agent.decide.carrier import carries
from agent.decide.decision import SECOND_NS
from agent.model.identity import Stamp
from agent.model.policy import Policy
from agent.model.state import Nic

# Renewing takes a moment. A switch that has just started forwards nothing for half a minute, and
# DHCP begins after that.
UNADDRESSED_SECONDS, NOT_YET_ADDRESSED_SECONDS = 15, 180
UNROUTED_SECONDS = 5  # the route follows the address at once, or not at all
UNCONFIGURED_SECONDS = 3  # what networkd says of the link is written a moment after it is so


def follow(nic: Nic, at: Stamp) -> Nic:
    """What its uplink, just read, says of it."""
    return _routed(_addressed(nic, at), at)


def leads_nowhere(nic: Nic) -> bool:
    """Whether it lacks what it had."""
    senses = nic.senses
    return senses.unaddressed_since_ns is not None or senses.unrouted_since_ns is not None


def _addressed(nic: Nic, at: Stamp) -> Nic:
    """Since when it has had no address, as one that has a carrier and led somewhere once."""
    senses, uplink = nic.senses, nic.senses.uplink
    if uplink is None or uplink.addressed is None or not carries(nic):
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


def _routed(nic: Nic, at: Stamp) -> Nic:
    """Since when it has had an address alone, as the one that the node's default route went by.

    Of IPv4: that of IPv6 comes by itself, with the next router's word, and k3s lives on the former.

    networkd gives up on a link whose carrier goes while it sets the route, and leaves it so when
    the carrier is back (systemd 252: "Could not set route: Nexthop has invalid gateway", "Failed").
    """
    senses, uplink = nic.senses, nic.senses.uplink
    routed, since_ns = nic.routed, None
    if uplink is None or uplink.addressed is not True or not carries(nic):
        pass  # nothing is to be seen of routes
    elif uplink.gateway is not None or uplink.gateway_elsewhere:
        routed = uplink.gateway is not None
    elif routed:
        since_ns = senses.unrouted_since_ns
        since_ns = at.boottime_ns if since_ns is None else since_ns
    if (routed, since_ns) == (nic.routed, senses.unrouted_since_ns):
        return nic
    return replace(nic, routed=routed, senses=replace(senses, unrouted_since_ns=since_ns))


# --- what speaks for a fault (decide/health.py) -----------------------------------------------


def unconfigured(nic: Nic, _policy: Policy, at: Stamp) -> str | None:
    senses = nic.senses
    since_ns = senses.unaddressed_since_ns or senses.unrouted_since_ns
    if not carries(nic) or senses.uplink is None or not senses.uplink.given_up:
        return None
    if since_ns is None or _recent(since_ns, UNCONFIGURED_SECONDS, at):
        return None
    lacks = "address" if senses.unaddressed_since_ns is not None else "default route"
    return f"networkd failed to configure it, and left it so: it has a carrier and no {lacks}"


def unaddressed(nic: Nic, _policy: Policy, at: Stamp) -> str | None:
    senses, since_ns = nic.senses, nic.senses.unaddressed_since_ns
    seconds = UNADDRESSED_SECONDS if senses.was_addressed else NOT_YET_ADDRESSED_SECONDS
    if not carries(nic) or since_ns is None or _recent(since_ns, seconds, at):
        return None
    had = "lost its addresses while its carrier stayed" if senses.was_addressed else "got none"
    service = senses.uplink.network_service if senses.uplink is not None else None
    whose = f"{service} manages it" if service else "neither networkd nor NetworkManager manages it"
    return f"it has a carrier and no address: it {had}; {whose}"


def unrouted(nic: Nic, _policy: Policy, at: Stamp) -> str | None:
    since_ns = nic.senses.unrouted_since_ns
    if not carries(nic) or since_ns is None or _recent(since_ns, UNROUTED_SECONDS, at):
        return None
    return "it has an address, and the node's default route, which went by it, is gone"


def _recent(time_ns: int, seconds: int, at: Stamp) -> bool:
    return at.boottime_ns - time_ns < seconds * SECOND_NS
