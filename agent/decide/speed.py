"""The link's speed: answered once per carrier, and never asked while the adapter is in trouble.

The driver reads it from the hardware with RTNL held: with a hung control endpoint that takes
5 s, holds up every other user of the network configuration, and makes r8152 reset the device
(facts: usb-nic.md 4). No answer is therefore an answer, too.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide.carrier import is_up
from agent.decide.decision import SECOND_NS, Decision, NicDecision
from agent.decide.links import look_after
from agent.model.identity import Stamp
from agent.model.outputs import Ask, ReadSpeed
from agent.model.state import Nic, State

QUIET_SECONDS = 30  # after a control error
AGAIN_SECONDS = 300  # after no answer, where packets pass
RECEIVED_SECONDS = 30  # so long ago packets arrived: they pass, where no gateway says so


def ask_where_due(before: State, after: State, at: Stamp, *, time_passed: bool) -> Decision:
    """Ask for the NICs that a fact has changed; for all, as time passes.

    Nobody is asked before the kernel's log is taken in: it may tell of trouble. A restart of
    the daemon is no reason to ask again.
    """
    if not after.kernel_log_heard:
        return after, ()
    everything = time_passed or not before.kernel_log_heard
    return look_after(before, after, lambda nic: _consider(nic, at), everything=everything)


def _consider(nic: Nic, at: Stamp) -> NicDecision:
    link = nic.link
    if link is None or not nic.confirmed or not is_up(link):
        return nic, ()
    if nic.senses.speed_asked and not _may_be_asked_again(nic, at):
        return nic, ()
    if nic.speed_carrier_ups == link.carrier_up_count:
        return nic, ()
    error = nic.kernel_seen.get("control_error")
    if error is not None and at.boottime_ns < error.boottime_ns + QUIET_SECONDS * SECOND_NS:
        return nic, ()
    senses = replace(nic.senses, speed_asked=True, speed_asked_ns=at.boottime_ns)
    nic = replace(nic, senses=senses)
    return nic, (Ask(ReadSpeed(link.ifindex, link.device)),)


def _may_be_asked_again(nic: Nic, at: Stamp) -> bool:
    """One read that failed long ago must not speak against a NIC that works for ever."""
    asked_ns, senses = nic.senses.speed_asked_ns, nic.senses
    long_ago = asked_ns is None or at.boottime_ns - asked_ns >= AGAIN_SECONDS * SECOND_NS
    if not senses.speed_unanswered or not long_ago:
        return False
    if senses.reach.reachable is not None or nic.gateway_known:
        return senses.reach.reachable is True
    received_ns = senses.received_ns
    return received_ns is not None and at.boottime_ns - received_ns < RECEIVED_SECONDS * SECOND_NS


def after_reading(nic: Nic, speed_bits: int | None) -> Nic:
    """The driver told it, or that it does not know it."""
    nic = replace(nic, senses=replace(nic.senses, speed_unanswered=False))
    if nic.link is None or not is_up(nic.link):
        return nic  # r8152 says 10 Mb/s of a link without a carrier
    return replace(nic, speed_bits=speed_bits, speed_carrier_ups=nic.link.carrier_up_count)


def after_failure(nic: Nic) -> Nic:
    """The driver did not tell it: the reading failed or hung."""
    senses = replace(nic.senses, speed_unanswered=True)
    return replace(nic, speed_bits=None, speed_carrier_ups=None, senses=senses)


def after_no_question(nic: Nic) -> Nic:
    """Nobody could be asked, since another reading hangs: that says nothing of this one."""
    return replace(nic, senses=replace(nic.senses, speed_asked=False))
