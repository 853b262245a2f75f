"""Each NIC's totals, noted once a day, so that a report can say what has come since.

By the clock on the wall, since a day of a report is one of people. Where it was set back, what
was noted for days to come is forgotten.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide.decision import SECOND_NS
from agent.model.identity import Stamp
from agent.model.incident import Tally
from agent.model.state import Nic, State

DAYS_MAX = 32
DAY_NS = 24 * 3600 * SECOND_NS


def note(state: State, at: Stamp) -> State:
    """The state with today's totals, where they are not yet in it."""
    nics = {connector: _noted(nic, at) for connector, nic in state.nics.items()}
    if all(nic is state.nics[connector] for connector, nic in nics.items()):
        return state
    return replace(state, nics=nics)


def _noted(nic: Nic, at: Stamp) -> Nic:
    past = tuple(tally for tally in nic.tallies if tally.wall_ns <= at.wall_ns)
    if past and past[-1].wall_ns + DAY_NS > at.wall_ns:
        return nic if len(past) == len(nic.tallies) else replace(nic, tallies=past)
    tally = Tally(
        at.wall_ns,
        nic.carrier_losses_total,
        nic.flaps_total,
        nic.disconnects_total,
        nic.downtime_ns,
        nic.kernel_messages_total,
    )
    return replace(nic, tallies=(*past, tally)[-DAYS_MAX:])
