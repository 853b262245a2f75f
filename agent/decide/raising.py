"""A network interface that a step made anew is set up again, since it comes down."""

from __future__ import annotations

from dataclasses import replace

from agent.decide.decision import SECOND_NS, NicDecision
from agent.model.actions import RaiseLink
from agent.model.identity import Stamp
from agent.model.outputs import Act
from agent.model.state import Climb, Nic

RAISES_MAX, RAISE_AGAIN_SECONDS = 3, 15


def is_left_down(nic: Nic) -> bool:
    """A network interface that nobody has set up since it was made."""
    return nic.link is not None and not nic.link.admin_up and not nic.was_up


def set_up(nic: Nic, climb: Climb, at: Stamp) -> NicDecision:
    """A network interface that was made anew comes down; who made it anew sets it up.

    Never one that was up before: that one somebody set down. A few times, since a device that has
    just come back may refuse.
    """
    link = nic.link
    if link is None or not is_left_down(nic):
        return nic, ()
    is_again = climb.raised == link.ifindex
    waited_ns = at.boottime_ns - climb.raised_ns
    if is_again and (climb.raises >= RAISES_MAX or waited_ns < RAISE_AGAIN_SECONDS * SECOND_NS):
        return nic, ()
    action = RaiseLink(
        action_id=f"raise-{link.ifindex}",
        step=climb.tried[-1],
        nic=nic.nic,
        ifindex=link.ifindex,
        device=link.device,
        usb_path=nic.adapter.usb_path,
        device_number=nic.adapter.device_number,
    )
    raises = climb.raises + 1 if is_again else 1
    climb = replace(climb, raised=link.ifindex, raised_ns=at.boottime_ns, raises=raises)
    return replace(nic, climb=climb), (Act(action),)
