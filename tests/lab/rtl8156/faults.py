"""What can be broken, by name: what it sets, what an adapter does then, what the kernel says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A named change of the adapter; `choices` are the values of its one argument, if any."""

    setting: str
    value: str | int | bool | None
    what: str
    kernel_says: str
    choices: tuple[str, ...] = ()


FAULTS: Mapping[str, Fault] = {
    "link_down": Fault("link", False, "the cable is pulled", "carrier off"),
    "link_up": Fault("link", True, "the cable is in, the partner answers", "carrier on"),
    "speed": Fault(
        "speed", None, "the link trains at another speed", "nothing", ("2500", "1000", "100")
    ),
    "tx_ok": Fault("tx", "ok", "transmits are taken", "nothing"),
    "tx_eproto": Fault("tx", "eproto", "transmits fail on the wire", "Tx status -71"),
    "tx_stall": Fault(
        "tx", "stall", "transmits are never completed", "NETDEV WATCHDOG, then Tx timeout"
    ),
    "ctl_ok": Fault("ctl", "ok", "control transfers are answered", "nothing"),
    "ctl_fail": Fault(
        "ctl", "fail", "control transfers stall: registers cannot be read", "Failed to read ... -32"
    ),
    "ctl_hang": Fault(
        "ctl", "hang", "control transfers are not answered: 5 s each, RTNL held", "-110"
    ),
    "intr_ok": Fault("interrupt", "ok", "link changes are reported", "nothing"),
    "intr_dead": Fault(
        "interrupt",
        "dead",
        "one protocol error, after which r8152 asks no more: the carrier lies from then on",
        "Stop submitting intr, status -71",
    ),
    "data_ok": Fault("data", "ok", "frames pass", "nothing"),
    "data_lost": Fault("data", "lost", "frames are lost without a word, both ways", "nothing"),
    "unplug": Fault("plug", "out", "the adapter leaves the bus", "USB disconnect"),
    "plug": Fault(
        "plug", None, "the adapter is plugged in: ss or hs", "new SuperSpeed ...", ("ss", "hs")
    ),
}


def value_of(name: str, arguments: list[str]) -> tuple[str, str | int | bool]:
    """Setting and value of a fault. ValueError in words where it is none."""
    fault = FAULTS.get(name)
    if fault is None:
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
    if not fault.choices:
        if arguments or fault.value is None:
            raise ValueError(f"{name} takes no argument")
        return fault.setting, fault.value
    chosen = arguments[0] if arguments else fault.choices[0]
    if chosen not in fault.choices or len(arguments) > 1:
        raise ValueError(f"{name} takes one of {', '.join(fault.choices)}")
    return fault.setting, int(chosen) if chosen.isdigit() else chosen


def page() -> str:
    """The table for a person."""
    rows = [
        f"  {' '.join(filter(None, (name, '|'.join(fault.choices)))):22} {fault.what}; "
        f"kernel: {fault.kernel_says}"
        for name, fault in FAULTS.items()
    ]
    return "\n".join(("nic FAULT [ARGUMENT]  break or mend the emulated adapter", *rows)) + (
        "\n  truth                  what was really reported to the kernel, and when"
    )
