"""What is wrong with a NIC, in the terms of what can be done about it: a table.

Health says how a NIC fares, for people; a fault is what earns steps. The evidence is health's own
checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.decide.carrier import is_up
from agent.decide.decision import SECOND_NS
from agent.model.policy import FaultKind, Policy, StepName
from agent.model.state import Nic


@dataclass(frozen=True)
class Fault:
    """One kind of fault: what speaks for it, how long it must last, and its part of the ladder."""

    name: str
    kind: FaultKind  # in usb_nic.remediation.act_on
    checks: tuple[str, ...]  # of decide/health.py; any of them
    grace_ns: Callable[[Policy], int]
    steps: tuple[StepName, ...]
    words: str
    # Who is asked anew before a step: whoever answers shows that the NIC lives, and it is left
    # alone. Unknown never acts: where the gateway must be asked and is not known, nothing is done.
    gateway: Literal["", "ask", "must"] = ""
    # Only if the gateway is silent: on a hung device this read takes seconds with RTNL held, and
    # makes r8152 reset it (docs/adr/0008).
    registers: bool = False
    # And only if the k3s server, which used to answer as well, is silent, too.
    witness: bool = False
    # What it earned is all that it earns, however long it lasts: no second climb after the rest.
    once: bool = False
    jitter_seconds: int = 0  # each NIC its own part of it: not every node at the same moment


def _seconds(seconds: int) -> Callable[[Policy], int]:
    return lambda _policy: seconds * SECOND_NS


# What can be asked before a step.
PLUG, GATEWAY, REGISTERS, WITNESS = "plug", "gateway", "registers", "witness"

_WHOLE_DEVICE: tuple[StepName, ...] = (
    "usb_reset",
    "driver_rebind",
    "usb_config_cycle",
    "usb_reauthorize",
    "port_power",
)

# The order is their priority: a NIC has one fault at a time.
FAULTS: tuple[Fault, ...] = (
    # A device that falls off the bus is back within two seconds, or not at all (F6, F7).
    Fault(
        "missing",
        "gone",
        ("missing",),
        _seconds(5),
        ("driver_rebind", "usb_config_cycle", "usb_reauthorize", "port_power"),
        "it is missing",
    ),
    # A link bounce takes the carrier from a driver that gave up, and gives nothing back (F2).
    Fault(
        "driver_dead",
        "wedged",
        ("driver_gave_up",),
        _seconds(0),
        _WHOLE_DEVICE,
        "its driver gave up",
        gateway="ask",
    ),
    # The driver resets the device by itself first (r8152.c, rtl8152_tx_timeout).
    Fault(
        "transmit_hung",
        "wedged",
        ("tx_timeout",),
        _seconds(5),
        _WHOLE_DEVICE,
        "it transmits nothing",
        gateway="must",
    ),
    # One register that could not be read once is no fault: it is read again before a step.
    Fault(
        "registers_dead",
        "wedged",
        ("control_errors", "speed_unanswered"),
        _seconds(0),
        _WHOLE_DEVICE,
        "its registers cannot be read",
        gateway="ask",
        registers=True,
    ),
    Fault(
        "wrong_driver",
        "wrong_driver",
        ("wrong_driver",),
        _seconds(5),
        ("usb_config_cycle",),
        "a generic driver is bound to it",
    ),
    # networkd, NetworkManager and the CNI know the link by its name. Where the gateway answers all
    # the same, the new name was somebody's wish.
    Fault(
        "lost_name",
        "gone",
        ("lost_name",),
        _seconds(5),
        ("restore_name",),
        "it has lost its name",
        gateway="ask",
    ),
    # Setting a link up shows a carrier for a moment, until its driver has looked. networkd 252
    # begins to configure, fails, and leaves it so when the carrier comes: our own steps do that.
    Fault(
        "unconfigured",
        "wedged",
        ("unconfigured",),
        _seconds(0),
        ("renew_addresses",),
        "networkd gave up on it",
    ),
    # Its DHCP lease lapsed, or somebody took its addresses: who manages it has the configuration.
    Fault(
        "unaddressed",
        "wedged",
        ("unaddressed",),
        _seconds(15),
        ("renew_addresses",),
        "it has no address any more",
    ),
    # Somebody may have meant it, which it is asked for once. Nobody else has a default route.
    Fault(
        "unrouted",
        "wedged",
        ("unrouted",),
        _seconds(5),
        ("renew_addresses",),
        "the default route by it is gone",
        once=True,
    ),
    # Setting the link up submits the interrupt transfer anew (r8152.c, rtl8152_open; F1).
    Fault(
        "carrier_lies",
        "wedged",
        ("interrupt_stopped",),
        _seconds(5),
        ("link_bounce", *_WHOLE_DEVICE),
        "its driver hears no more of link changes",
        gateway="must",
    ),
    # A gateway that restarts is silent on every node, and the server behind the same switch is not.
    Fault(
        "silent",
        "wedged",
        ("silence",),
        _seconds(180),
        ("usb_reset",),
        "nobody answers on it, and nothing arrives",
        gateway="must",
        witness=True,
        once=True,
        jitter_seconds=60,
    ),
    # Mostly the cable or the switch. A hung PHY looks the same, and a dead link has nothing to
    # lose: once each, and no more.
    Fault(
        "no_carrier",
        "down",
        ("no_carrier",),
        lambda policy: policy.remediation.down_grace_ns,
        ("link_bounce", "usb_reset"),
        "it has no carrier",
        once=True,
    ),
    # A link that trained badly trains anew (bb-qq/r8152#452).
    Fault(
        "slow_link",
        "slow_link",
        ("slow_link",),
        _seconds(60),
        ("link_bounce",),
        "its link is slower than expected",
    ),
    # The SuperSpeed contacts are tried again when the plug is switched off and on.
    Fault(
        "usb2",
        "usb2",
        ("usb2",),
        _seconds(60),
        ("port_power",),
        "it fell back to USB 2",
    ),
    # Mostly the cable, the switch's port, EEE; an adapter that hangs now and then looks the same.
    Fault(
        "flapping",
        "flapping",
        ("flapping",),
        _seconds(0),
        ("usb_reset",),
        "it flaps",
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


def fault_of(nic: Nic, policy: Policy) -> Fault | None:
    """The fault that something may be done about; None where nothing is to be done."""
    health = nic.senses.health
    if health is None or (nic.link is not None and not nic.link.admin_up):
        return None  # somebody set it down: that is an order
    for fault in FAULTS:
        speaks = set(fault.checks) & set(health.speaking)
        if speaks and fault.kind in policy.remediation.act_on and _leads_on(fault, nic):
            return fault
    return None


def _leads_on(fault: Fault, nic: Nic) -> bool:
    """Whether anything can come of it: else it would only stand before the next one.

    Without a carrier no gateway can be asked, and what is wrong is that. A generic driver stays
    where r8152 was never seen: this kernel's may not know the adapter.
    """
    if fault.gateway == "must" and nic.link is not None and not is_up(nic.link):
        return False
    return fault.kind != "wrong_driver" or nic.own_driver_seen
