"""Verdicts on steps, from what was decided to what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepWithheld:
    """In observe mode: what would have been done."""

    nic: str
    device: str
    step: str
    action: str


@dataclass(frozen=True)
class StepBegan:
    """A step was decided and is carried out once it stands on disk."""

    nic: str
    device: str
    step: str
    action_id: str
    action: str


@dataclass(frozen=True)
class StepVerified:
    """A step was carried out, and a later reading shows its effect."""

    nic: str
    device: str
    step: str
    action_id: str


@dataclass(frozen=True)
class StepFailed:
    """A step failed, was refused, timed out, or shows no effect."""

    nic: str
    device: str
    step: str
    action_id: str
    outcome: str  # ActionOutcome, or "unverified"
    detail: str


@dataclass(frozen=True)
class StepTakenBack:
    """The daemon ends before a step's verdict: its inverse is carried out first."""

    nic: str
    device: str
    step: str
    action_id: str


@dataclass(frozen=True)
class StepBlocked:
    """A step is due, and may not be taken just now."""

    nic: str
    device: str
    fault: str
    reason: str


@dataclass(frozen=True)
class NicRecovered:
    """A step helped: verified by what was seen afterwards."""

    nic: str
    device: str
    step: str
    fault: str
    seconds: int  # since the first evidence


@dataclass(frozen=True)
class NicLinkOnly:
    """After a step the link is as it should be, and whoever needs it is not."""

    nic: str
    device: str
    step: str
    why: str


@dataclass(frozen=True)
class AftercareBegan:
    """The link is back, k3s or Cilium is not: the units that were named for that are restarted."""

    nic: str
    device: str
    units: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class NicBeyondRepair:
    """No step is left that is allowed and possible."""

    nic: str
    device: str
    fault: str
    tried: tuple[str, ...]
    hours: int  # of rest
