"""All that decide remembers, and the part of it that outlives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agent.model.identity import Adapter, Link

StepPhase: TypeAlias = Literal["running", "verifying"]


@dataclass(frozen=True)
class StepInProgress:
    """A step from its decision to its verdict; durable before it is carried out."""

    action_id: str
    step: str
    phase: StepPhase


@dataclass(frozen=True)
class Nic:
    """A USB NIC and its counts, which outlive its netdev, the daemon and reboots."""

    nic: str
    adapter: Adapter
    link: Link | None  # None while it is gone
    confirmed: bool = True  # False: restored from disk, not seen since
    heard_listing: int = 0  # the newest listing asked for when last heard of
    loss_outstanding: bool = False
    carrier_losses_total: int = 0
    flaps_total: int = 0
    disconnects_total: int = 0
    unobserved_gaps_total: int = 0
    last_carrier_change_wall_ns: int | None = None
    step: StepInProgress | None = None
    tune_settled: str | None = None  # for which device, in which mode, tune is decided
    attempts_total: Mapping[str, int] = field(default_factory=dict)  # by step
    failures_total: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Bystander:
    """A physical link that is not (or not yet known to be) a watched USB NIC."""

    first: Link
    latest: Link
    heard_listing: int
    identified: bool = False
    driver: str = ""
    ignored: bool = False  # a USB NIC that usb_nic.ignore names
    shares: str | None = None  # the connector of the NIC whose second interface this is
    reads_failed: int = 0


@dataclass(frozen=True)
class State:
    """Everything that decisions depend on besides the fact at hand and the policy."""

    version: str = ""
    boot_id: str = ""
    nics: Mapping[str, Nic] = field(default_factory=dict)  # by connector
    bystanders: Mapping[int, Bystander] = field(default_factory=dict)  # by ifindex
    listing_asked: int = 0
    listing_answered: int = 0
    listing_again: bool = False  # the one asked for may be older than what was lost since
    departed: Mapping[int, int] = field(default_factory=dict)  # ifindex -> listing_asked then
    watch_told: bool = False
    blind_spots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Durable:
    """What the store keeps: the NICs and the boot in which their kernel counts were read."""

    boot_id: str
    nics: Mapping[str, Nic]
