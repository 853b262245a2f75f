"""What decisions may assume of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

FLAPS_MAX = 64  # that flapping.count may ask for: so many are remembered

Mode: TypeAlias = Literal["observe", "remediate"]


@dataclass(frozen=True)
class NicMatch:
    """One item of usb_nic.match or usb_nic.ignore: every key given must fit."""

    name: str | None = None  # not a condition: the identity that the NIC gets
    driver: str | None = None
    mac: str | None = None
    vendor_id: str | None = None
    product_id: str | None = None
    connector: str | None = None


@dataclass(frozen=True)
class ProbePolicy:
    """How reachability is found out."""

    target: str = "gateway"  # or an IPv4 address in the NIC's own network
    interval_ns: int = 2_000_000_000
    timeout_ns: int = 1_000_000_000


@dataclass(frozen=True)
class FlappingPolicy:
    """So many flaps within so long are flapping."""

    count: int = 3
    within_ns: int = 300_000_000_000


@dataclass(frozen=True)
class Policy:
    """The part of the configuration that decisions depend on."""

    mode: Mode = "observe"
    match: tuple[NicMatch, ...] = ()
    ignore: tuple[NicMatch, ...] = ()
    expect_speed_bits: int | None = None
    probe: ProbePolicy = field(default_factory=ProbePolicy)
    flapping: FlappingPolicy = field(default_factory=FlappingPolicy)
