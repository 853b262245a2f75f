"""Downtime: how long a NIC was gone, or set up and without a carrier."""

from __future__ import annotations

from dataclasses import replace

from agent.decide.carrier import is_down
from agent.model.identity import Stamp
from agent.model.state import Nic


def account(nic: Nic, at: Stamp) -> Nic:
    """Begin or end an outage with the NIC's present state; the first look must be complete."""
    down = nic.link is None or is_down(nic.link)
    if down and nic.down_since_ns is None:
        return replace(nic, down_since_ns=at.boottime_ns)
    return replace(settle(nic, at), down_since_ns=None) if not down else nic


def settle(nic: Nic, at: Stamp) -> Nic:
    """Count what has passed of an outage that may go on."""
    if nic.down_since_ns is None:
        return nic
    lasted_ns = max(0, at.boottime_ns - nic.down_since_ns)
    return replace(nic, down_since_ns=at.boottime_ns, downtime_ns=nic.downtime_ns + lasted_ns)


def lost_from_sight(nic: Nic) -> Nic:
    """It ended while nobody watched: how long it went on is not known, and adds nothing."""
    return replace(nic, down_since_ns=None)
