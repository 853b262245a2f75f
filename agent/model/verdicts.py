"""Verdicts: what is told to people. One class per event of the catalog (report/catalog.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agent.model.verdicts_of_cni import CniVerdict
from agent.model.verdicts_of_gpus import GpuVerdict
from agent.model.verdicts_of_service import (
    ConfigRefused,
    ConfigReloaded,
    KernelLogOverrun,
    ObserveForced,
    ObserveLifted,
    Paused,
    ReadingFailed,
    Resumed,
    SourceFailed,
    SourceLostMessages,
    SourceRecovered,
    StateSetAside,
    WatchBegan,
    WatchEnded,
)
from agent.model.verdicts_of_steps import (
    AftercareBegan,
    NicBeyondRepair,
    NicLinkOnly,
    NicRecovered,
    StepBegan,
    StepBlocked,
    StepFailed,
    StepTakenBack,
    StepVerified,
    StepWithheld,
)

__all__ = [
    "AftercareBegan",
    "CarrierLost",
    "CarrierReturned",
    "ConfigRefused",
    "ConfigReloaded",
    "KernelLogOverrun",
    "NicBeyondRepair",
    "NicDegraded",
    "NicDisabled",
    "NicDisconnected",
    "NicDown",
    "NicFlapping",
    "NicForgotten",
    "NicFound",
    "NicGone",
    "NicGoneUnobserved",
    "NicHealthy",
    "NicLinkOnly",
    "NicMoved",
    "NicReachable",
    "NicRecovered",
    "NicReplaced",
    "NicReturned",
    "NicUnreachable",
    "NicWedged",
    "ObserveForced",
    "ObserveLifted",
    "Paused",
    "ReadingFailed",
    "Resumed",
    "SourceFailed",
    "SourceLostMessages",
    "SourceRecovered",
    "StateSetAside",
    "StepBegan",
    "StepBlocked",
    "StepFailed",
    "StepTakenBack",
    "StepVerified",
    "StepWithheld",
    "Verdict",
    "WatchBegan",
    "WatchEnded",
]


@dataclass(frozen=True)
class NicFound:
    """A NIC is watched from now on; changes count from here."""

    nic: str
    device: str
    bus: str
    driver: str
    vendor_id: str
    product_id: str
    mac: str
    usb_speed_bits: int
    carrier: bool


@dataclass(frozen=True)
class NicReturned:
    """A NIC that was gone is back, as a new netdev."""

    nic: str
    device: str
    driver: str
    ifindex: int
    carrier: bool


@dataclass(frozen=True)
class NicDisconnected:
    """The netdev of a watched NIC is gone: unplugged, fallen off the bus, or unbound."""

    nic: str
    device: str
    ifindex: int
    disconnects_total: int


@dataclass(frozen=True)
class NicGoneUnobserved:
    """The NIC's netdev went while nobody watched: one disconnect, and a gap in what is known."""

    nic: str
    device: str
    ifindex: int
    disconnects_total: int
    unobserved_gaps_total: int


@dataclass(frozen=True)
class CarrierLost:
    """The link went down without anybody setting it down."""

    nic: str
    device: str
    losses: int
    carrier_losses_total: int
    carrier: bool  # True where it is back already: several changes came in one message


@dataclass(frozen=True)
class CarrierReturned:
    """The link is up again after a loss."""

    nic: str
    device: str
    flaps_total: int


@dataclass(frozen=True)
class NicMoved:
    """A NIC is in another plug than before; its history follows."""

    nic: str
    device: str
    mac: str
    connector_before: str
    connector: str


@dataclass(frozen=True)
class NicReplaced:
    """Another adapter is in the plug of a NIC."""

    nic: str
    device: str
    mac_before: str
    mac: str


@dataclass(frozen=True)
class NicForgotten:
    """A NIC that was gone is forgotten on request."""

    nic: str


@dataclass(frozen=True)
class NicUnreachable:
    """The gateway that used to answer on this NIC does not any more."""

    nic: str
    device: str
    target: str
    misses: int
    arriving: str


@dataclass(frozen=True)
class NicReachable:
    """The gateway answers again on this NIC."""

    nic: str
    device: str
    target: str


@dataclass(frozen=True)
class _NicJudged:
    nic: str
    device: str
    before: str  # HealthState, or "unknown"
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class NicGone(_NicJudged):
    """Judged: there is no network interface on its connector."""


@dataclass(frozen=True)
class NicDisabled(_NicJudged):
    """Judged: somebody set it down."""


@dataclass(frozen=True)
class NicDown(_NicJudged):
    """Judged: no carrier."""


@dataclass(frozen=True)
class NicWedged(_NicJudged):
    """Judged: it says it has a carrier, and nothing passes."""


@dataclass(frozen=True)
class NicFlapping(_NicJudged):
    """Judged: it loses its carrier too often."""


@dataclass(frozen=True)
class NicDegraded(_NicJudged):
    """Judged: it works, below what it should."""


@dataclass(frozen=True)
class NicHealthy(_NicJudged):
    """Judged: nothing speaks against it."""


Verdict: TypeAlias = (
    WatchBegan
    | WatchEnded
    | NicFound
    | NicReturned
    | NicDisconnected
    | NicGoneUnobserved
    | CarrierLost
    | CarrierReturned
    | NicMoved
    | NicReplaced
    | NicForgotten
    | NicUnreachable
    | NicReachable
    | NicGone
    | NicDisabled
    | NicDown
    | NicWedged
    | NicFlapping
    | NicDegraded
    | NicHealthy
    | KernelLogOverrun
    | SourceLostMessages
    | ReadingFailed
    | StateSetAside
    | ConfigReloaded
    | ConfigRefused
    | SourceFailed
    | SourceRecovered
    | ObserveForced
    | Paused
    | Resumed
    | ObserveLifted
    | StepWithheld
    | NicBeyondRepair
    | NicLinkOnly
    | AftercareBegan
    | NicRecovered
    | StepBlocked
    | StepBegan
    | StepVerified
    | StepTakenBack
    | StepFailed
    | GpuVerdict
    | CniVerdict
)
