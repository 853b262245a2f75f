"""All that decide remembers, and the part of it that outlives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from agent.model.identity import Adapter, Counters, Link, Stamp, Uplink
from agent.model.kernel_log import KernelSeen

StepPhase: TypeAlias = Literal["running", "verifying"]


@dataclass(frozen=True)
class StepInProgress:
    """A step from its decision to its verdict; durable before it is carried out."""

    action_id: str
    step: str
    phase: StepPhase


HealthState: TypeAlias = Literal[
    "gone", "disabled", "down", "wedged", "flapping", "degraded", "healthy"
]
HEALTH_STATES: tuple[HealthState, ...] = get_args(HealthState)  # the worst first


@dataclass(frozen=True)
class Reach:
    """What the probes of the gateway came to, since the link has a carrier."""

    reachable: bool | None = None  # None: unknown
    asked: bool = False  # a probe is under way
    misses: int = 0  # in a row
    still_misses: int = 0  # of them, since the last packet of anybody arrived
    rx_packets: int | None = None  # as counted after the last miss


@dataclass(frozen=True)
class Health:
    """A judgement, and why: the names of the checks that say so, and all evidence in words."""

    state: HealthState
    checks: tuple[str, ...]
    evidence: tuple[str, ...]
    since: Stamp
    told_state: HealthState | None = None  # what people were told last
    told_checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Senses:
    """What is known of a NIC just now. Not kept over a restart: it is found out anew."""

    uplink: Uplink | None = None
    reach: Reach = field(default_factory=Reach)
    speed_asked: bool = False  # since the carrier is there
    speed_unanswered: bool = False  # the driver did not tell it in time
    counters: Counters | None = None
    errors_from: Counters | None = None  # where the present error window began
    errors_from_ns: int = 0
    errors_words: str = ""  # of the latest window with too many errors
    errors_ns: int | None = None
    tx_timeout_ns: int | None = None  # when the count last rose
    health: Health | None = None  # None: not judged


@dataclass(frozen=True)
class Nic:
    """A NIC and its counts, which outlive its netdev, the daemon and reboots."""

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
    down_since_ns: int | None = None  # without a carrier, or gone
    downtime_ns: int = 0  # of the times that ended
    flap_times_ns: tuple[int, ...] = ()  # the latest
    permanent_mac: str = ""  # the last one that was known
    best_usb_speed_bits: int = 0  # that this adapter was ever seen with
    uplink_seen: bool = False  # it carried a default route once
    gateway_known: str = ""  # the one that answered last
    speed_bits: int | None = None  # of the link, where the driver told it
    speed_carrier_ups: int | None = None  # the link's carrier_up_count when it was told
    kernel_messages_total: Mapping[str, int] = field(default_factory=dict)  # by class
    kernel_seen: Mapping[str, KernelSeen] = field(default_factory=dict)  # by class, this boot
    senses: Senses = field(default_factory=Senses)
    step: StepInProgress | None = None
    tune_settled: str | None = None  # for which device, in which mode, tune is decided
    attempts_total: Mapping[str, int] = field(default_factory=dict)  # by step
    failures_total: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Bystander:
    """A physical link that is not (or not yet known to be) a watched NIC."""

    first: Link
    latest: Link
    heard_listing: int
    seen_ns: int = 0  # since when it is known
    identified: bool = False
    adapter: Adapter | None = None  # None: no hardware, or not identified
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
    uplinks: Mapping[int, Uplink] = field(default_factory=dict)  # by ifindex
    uplinks_asked: bool = False
    uplinks_answered: bool = False
    kernel_log_sequence: int | None = None  # up to here the kernel's log is taken in
    kernel_log_heard: bool = False  # what it held before the start is taken in
    watch_told: bool = False
    blind_spots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Durable:
    """What the store keeps: the NICs and the boot in which their kernel counts were read."""

    boot_id: str
    nics: Mapping[str, Nic]
    kernel_log_sequence: int | None = None
