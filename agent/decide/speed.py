"""The link's speed: asked for once per carrier, and never while the adapter is in trouble.

The driver reads it from the hardware with RTNL held: with a hung control endpoint that takes
5 s, holds up every other user of the network configuration, and makes r8152 reset the device
(facts: usb-nic.md 4). No answer is therefore an answer, too.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide.carrier import is_up
from agent.decide.decision import SECOND_NS
from agent.model.identity import Stamp
from agent.model.outputs import Ask, Output, ReadSpeed, Wake
from agent.model.state import Nic

QUIET_SECONDS = 30  # after a control error


def wake_topic(connector: str) -> str:
    """The Wake that ends the quiet after a control error."""
    return f"speed:{connector}"


def consider(nic: Nic, at: Stamp) -> tuple[Nic, tuple[Output, ...]]:
    """Ask, if it has not been asked since the carrier is there."""
    link = nic.link
    if link is None or not is_up(link) or nic.senses.speed_asked:
        return nic, ()
    error = nic.kernel_seen.get("control_error")
    if error is not None:
        due_ns = error.boottime_ns + QUIET_SECONDS * SECOND_NS
        if at.boottime_ns < due_ns:
            return nic, (Wake(due_ns, wake_topic(nic.adapter.connector)),)
    nic = replace(nic, senses=replace(nic.senses, speed_asked=True))
    return nic, (Ask(ReadSpeed(link.ifindex, link.device)),)


def after_reading(nic: Nic, speed_bits: int | None) -> Nic:
    """The driver told it, or that it does not know it."""
    if nic.link is None or not is_up(nic.link):
        return nic  # r8152 says 10 Mb/s of a link without a carrier
    return replace(nic, senses=replace(nic.senses, speed_bits=speed_bits, speed_unanswered=False))


def after_failure(nic: Nic) -> Nic:
    """The driver did not tell it: the reading failed or hung."""
    return replace(nic, senses=replace(nic.senses, speed_bits=None, speed_unanswered=True))
