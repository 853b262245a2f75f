"""Downtime: how long a NIC was gone, or set up and without a carrier."""

from __future__ import annotations

from dataclasses import replace

from agent.model.identity import Stamp
from agent.model.state import Nic


def account(nic: Nic, at: Stamp) -> Nic:
    """Begin or end an outage with the NIC's present state."""
    if nic.link is not None and not nic.confirmed:
        return nic  # restored, and not seen since
    down = nic.link is None or (nic.link.admin_up and not nic.link.carrier)
    if down and nic.down_since_ns is None:
        return replace(nic, down_since_ns=at.boottime_ns)
    if not down and nic.down_since_ns is not None:
        lasted_ns = max(0, at.boottime_ns - nic.down_since_ns)
        return replace(nic, down_since_ns=None, downtime_ns=nic.downtime_ns + lasted_ns)
    return nic
