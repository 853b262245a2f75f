"""What can be broken, by name: what an adapter does in that state, and what the kernel says."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "str | int | bool"
_PAGE_COLUMNS = 100


@dataclass(frozen=True)
class Fault:
    """One setting of the adapter. Where `value` is None, the one argument says it."""

    setting: str
    value: Value | None
    what: str
    kernel_says: str = ""  # of the kernel's line, the part that is the same everywhere
    provoked_by: str = ""  # nothing happens until the host does this
    choices: tuple[str, ...] = ()  # of the argument; the first is meant where there is none


FAULTS: Mapping[str, Fault] = {
    "link_down": Fault("link", False, "the cable is pulled", "carrier off"),
    "link_up": Fault("link", True, "the cable is back, the partner answers", "carrier on"),
    "speed": Fault(
        "speed",
        None,
        "the link runs at so many Mb/s: ethtool sees it at once, the driver at the next link_up",
        choices=("2500", "1000", "100"),
    ),
    "tx_ok": Fault("tx", "ok", "transmits are taken"),
    "tx_eproto": Fault(
        "tx",
        "eproto",
        "transmits fail on the wire: a bad cable, port or power supply",
        "Tx status -71",
        "a frame",
    ),
    "tx_stall": Fault(
        "tx",
        "stall",
        "transmits are never completed; the driver resets the device after some 5 s",
        "Tx timeout",
        "frames until the queue is full, then 5 s",
    ),
    "ctl_ok": Fault("ctl", "ok", "control transfers are answered"),
    "ctl_fail": Fault(
        "ctl",
        "fail",
        "no register can be read or written; the driver resets the device thrice, then gives up "
        "for good: the carrier stays as it was and nothing passes, also after ctl_ok",
        "giving up",
        "a read of /sys/class/net/*/speed",
    ),
    "ctl_hang": Fault(
        "ctl",
        "hang",
        "control transfers are not answered: the kernel waits for each with the RTNL held, and "
        "every netlink request on the node waits with it",
        "(-110)",
        "a read of /sys/class/net/*/speed",
    ),
    "intr_ok": Fault("intr", "ok", "link changes are reported"),
    "intr_dead": Fault(
        "intr",
        "dead",
        "one protocol error at the interrupt endpoint, after which r8152 asks no more: the "
        "carrier lies until the interface is set down and up (cdc_ncm asks again)",
        "Stop submitting intr, status -71",
    ),
    "data_ok": Fault("data", "ok", "frames pass"),
    "data_lost": Fault("data", "lost", "frames are lost both ways, and nobody is told"),
    "cured_by": Fault(
        "cure",
        None,
        "what ends all that is wrong with it, the link's included: a USB reset, a configuration "
        "that is left and chosen anew, or power that was off for ten seconds; nothing, as long as "
        "it is not said",
        choices=("nothing", "reset", "configuration", "power"),
    ),
    "unplug": Fault("plug", "out", "the adapter leaves the bus", "USB disconnect"),
    "plug": Fault(
        "plug",
        None,
        "a new adapter, every fault forgotten: at SuperSpeed (ss), fallen to high speed (hs), in "
        "the plug beside it (port2), another specimen (other), one that lost its MAC (no_mac)",
        "USB device number",
        choices=("ss", "hs", "port2", "other", "no_mac"),
    ),
}


def value_of(name: str, arguments: list[str]) -> tuple[str, Value]:
    """Setting and value of a fault. ValueError in words where it is none."""
    fault = FAULTS.get(name)
    if fault is None:
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
    if fault.value is not None:
        if arguments:
            raise ValueError(f"{name} takes no argument")
        return fault.setting, fault.value
    chosen = arguments[0] if arguments else fault.choices[0]
    if chosen not in fault.choices or len(arguments) > 1:
        raise ValueError(f"{name} takes one of {', '.join(fault.choices)}")
    return fault.setting, int(chosen) if chosen.isdigit() else chosen


def page() -> str:
    """The table for a person."""
    wrap = textwrap.TextWrapper(_PAGE_COLUMNS, subsequent_indent=" " * 26)
    lines = ["nic FAULT [ARGUMENT]      break or mend the emulated adapter", ""]
    for name, fault in FAULTS.items():
        text = f"  {' '.join((name, '|'.join(fault.choices))):23} {fault.what}"
        if fault.provoked_by:
            text += f"; provoked by {fault.provoked_by}"
        if fault.kernel_says:
            text += f"; the kernel says: {fault.kernel_says}"
        lines += wrap.wrap(text)
    lines.append(f"  {'anew':23} as just started: whole, plugged in, and a truth without a past")
    lines.append(f"  {'truth':23} what was really reported to the kernel, and when")
    return "\n".join(lines)
