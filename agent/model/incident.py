"""What happened to a NIC, from the first evidence until it was well for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from agent.model.identity import Counters, Stamp

INCIDENTS_MAX = 16  # of one NIC
IncidentVerdict: TypeAlias = Literal["recovered", "link_only", "beyond_repair", "passed", "cut_off"]
INCIDENT_VERDICTS: tuple[IncidentVerdict, ...] = get_args(IncidentVerdict)


@dataclass(frozen=True)
class TakenStep:
    """One step of an incident, or one that was only told."""

    step: str
    began: Stamp
    outcome: str = ""  # "" while it is under way; "withheld"; "verified"; else as StepFailed has it
    detail: str = ""
    because: str = ""  # the fault that it was for, which need not be the first one


@dataclass(frozen=True)
class Sight:
    """A NIC as it was at one moment of an incident, with its counts until then."""

    at: Stamp
    device: str  # "" where there was no interface
    driver: str
    usb_path: str
    usb_speed_bits: int
    speed_bits: int | None
    carrier: bool
    carrier_losses_total: int
    flaps_total: int
    disconnects_total: int
    counters: Counters | None  # the interface's own, as read last


@dataclass(frozen=True)
class Incident:
    """What happened to a NIC, what was tried, and what it came to."""

    id: str
    device: str
    fault: str
    opened: Stamp  # the first evidence
    evidence: tuple[str, ...]
    steps: tuple[TakenStep, ...] = ()
    verdict: IncidentVerdict | None = None
    closed: Stamp | None = None
    kept: bool = False  # a step was due, or it lasted: else it leaves nothing behind when it passes
    answered: bool = False  # asked before a first step, the NIC showed that it lives
    well_since: Stamp | None = None  # it closes when that has lasted
    before: Sight | None = None
    after: Sight | None = None
    fault_name: str = ""  # of decide/faults.py


@dataclass(frozen=True)
class Tally:
    """A NIC's totals as they were on one day: what has come since is the difference."""

    wall_ns: int
    carrier_losses_total: int
    flaps_total: int
    disconnects_total: int
    downtime_ns: int
    kernel_messages_total: Mapping[str, int]  # by class
