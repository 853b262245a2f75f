"""How often the carrier was lost and came back between two messages of one netdev.

The kernel counts each change (net/sched/sch_generic.c, netif_carrier_on/off) but may tell
of several in one message (net/core/link_watch.c), so the counts decide, never the flag.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.identity import Link
from agent.model.state import Nic

_COUNTER_MODULUS = 1 << 32  # IFLA_CARRIER_*_COUNT are 32 bits wide and wrap


@dataclass(frozen=True)
class CarrierChange:
    """`losses` and `returns` between two messages; `outstanding`: a loss still has no return."""

    losses: int
    returns: int
    outstanding: bool
    changed: bool


def carrier_change(before: Link, after: Link, outstanding: bool) -> CarrierChange:
    """Compare two messages of the same netdev.

    Around an administrative up or down the driver switches the carrier itself (r8152's
    ndo_open begins with netif_carrier_off): those changes are nobody's loss.
    """
    changed = before.carrier != after.carrier
    if not (before.admin_up and after.admin_up):
        return CarrierChange(0, 0, outstanding=False, changed=changed)
    losses = _delta(before.carrier_down_count, after.carrier_down_count)
    ups = _delta(before.carrier_up_count, after.carrier_up_count)
    # The first carrier after an administrative up ends no loss.
    first_ever = ups > 0 and not before.carrier and not outstanding
    open_losses = losses + (1 if outstanding else 0)
    returns = min(ups - 1 if first_ever else ups, open_losses)
    # By the counts, not by the flag: the kernel fills a message without a lock, so that the flag
    # may be from before the change and the counts from after it (rtnl_fill_ifinfo).
    return CarrierChange(
        losses, returns, open_losses > returns, changed=changed or losses > 0 or ups > 0
    )


def is_up(link: Link) -> bool:
    """Set up and with a carrier. The flag alone may say so of a link that is set down (cdc_ncm)."""
    return link.admin_up and link.carrier


def is_down(link: Link) -> bool:
    """Set up and without a carrier; set down it is neither up nor down."""
    return link.admin_up and not link.carrier


def is_older(link: Link, than: Link) -> bool:
    """Whether a message of the same netdev is older news: its counts are behind."""
    return _behind(link.carrier_down_count, than.carrier_down_count) or _behind(
        link.carrier_up_count, than.carrier_up_count
    )


def _behind(count: int, other: int) -> bool:
    # More than half the range ahead is a count that went backwards.
    return _delta(other, count) > _COUNTER_MODULUS // 2


def _delta(before: int, after: int) -> int:
    return (after - before) % _COUNTER_MODULUS


def carries(nic: Nic) -> bool:
    """Whether it has an interface, set up, with a carrier."""
    return nic.link is not None and is_up(nic.link)
