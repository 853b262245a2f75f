"""How each sign is looked for in a NIC's track record: words where it is found, else None."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from agent.model.kernel_log import KernelClass
from agent.report.track_record import TrackRecord

Finder: TypeAlias = Callable[[TrackRecord], "str | None"]

CARRIER_LOSSES_MIN = 3
TRANSFER_ERRORS_MANY = 10
RESTART_SECONDS = (15, 240)  # how long a switch is away that restarts
_MEGABIT = 1_000_000
_SECOND_NS = 1_000_000_000
# With one of these the carrier's losses may be the adapter's own.
_USB_TROUBLE: tuple[KernelClass, ...] = (
    *("transfer_error", "control_error", "gave_up", "tx_timeout", "enumeration_error"),
    *("controller_died", "interrupt_stopped", "probe_failed"),
)


def kernel(name: KernelClass, words: str, least: int = 1, below: int = 0) -> Finder:
    def found(record: TrackRecord) -> str | None:
        count = record.kernel.get(name, 0)
        return f"{words}: {_times(count)}" if count >= least and not 0 < below <= count else None

    return found


def helped(words: str, *steps: str, fault: str = "") -> Finder:
    def found(record: TrackRecord) -> str | None:
        of_it = [i for i in record.incidents if not fault or i.fault_name == fault]
        taken = [s for incident in of_it for s in incident.steps if s.step in steps]
        count = sum(step.outcome == "verified" for step in taken)
        return f"{words}: {_times(count)}" if count else None

    return found


def no_help(record: TrackRecord) -> str | None:
    """A carrier that no reset brings back is not lost inside the adapter."""
    count = sum(
        step.step == "usb_reset" and step.outcome == "unverified"
        for incident in record.incidents
        if incident.fault_name == "no_carrier"
        for step in incident.steps
    )
    return f"a reset of the adapter gave it no carrier: {_times(count)}" if count else None


def fault(name: str, words: str) -> Finder:
    def found(record: TrackRecord) -> str | None:
        count = sum(incident.fault_name == name for incident in record.incidents)
        return f"{words}: {_times(count)}" if count else None

    return found


def verdict(verdict: str, words: str) -> Finder:
    def found(record: TrackRecord) -> str | None:
        count = sum(incident.verdict == verdict for incident in record.incidents)
        return f"{words}: {_times(count)}" if count else None

    return found


def silent_gateway(record: TrackRecord) -> str | None:
    """By the words of decide/step.py: else it is k3s or Cilium that a step left behind ill."""
    count = sum(
        step.outcome == "link_only" and step.detail.endswith("does not answer")
        for incident in record.incidents
        for step in incident.steps
    )
    return f"the link was well and the gateway silent: {_times(count)}" if count else None


def losses(least: int) -> Finder:
    def found(record: TrackRecord) -> str | None:
        if record.carrier_losses < least or any(record.kernel.get(c) for c in _USB_TROUBLE):
            return None
        times = _times(record.carrier_losses)
        return f"it lost its carrier while its USB side was healthy: {times}"

    return found


def restarts(record: TrackRecord) -> str | None:
    count = 0
    for incident in record.incidents:
        if incident.verdict == "passed" and incident.fault_name == "no_carrier":
            end = incident.well_since or incident.closed or incident.opened
            lasted = (end.wall_ns - incident.opened.wall_ns) // _SECOND_NS
            count += RESTART_SECONDS[0] <= lasted <= RESTART_SECONDS[1]
    words = "its carrier was away for as long as a switch restarts, and came back by itself"
    return f"{words}: {_times(count)}" if count else None


def slow_link(record: TrackRecord) -> str | None:
    speed, expected = record.nic.speed_bits, record.expect_speed_bits
    if speed is None or expected is None or speed >= expected:
        return None
    return f"its link runs at {speed // _MEGABIT} Mb/s, expected are {expected // _MEGABIT}"


def usb2(record: TrackRecord) -> str | None:
    nic = record.nic
    if nic.link is None or not 0 < nic.adapter.usb_speed_bits < nic.best_usb_speed_bits:
        return None
    now, best = nic.adapter.usb_speed_bits // _MEGABIT, nic.best_usb_speed_bits // _MEGABIT
    return f"on the USB it runs at {now} Mb/s, and was seen at {best}"


def disconnects(least: int) -> Finder:
    def found(record: TrackRecord) -> str | None:
        times = _times(record.disconnects)
        return (
            f"it fell off the USB, or was pulled: {times}" if record.disconnects >= least else None
        )

    return found


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
