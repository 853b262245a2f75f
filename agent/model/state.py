"""All that decide remembers, and the part of it that outlives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from agent.model.actions import Action
from agent.model.cni import CniCounts, CniGuard
from agent.model.gpu import Holding
from agent.model.identity import Adapter, Counters, Link, NodeHealth, Stamp, Uplink, UsbDevice
from agent.model.incident import Incident, Tally
from agent.model.kernel_log import KernelSeen

# checking: the link is well, and is the node? caring: units are restarted for it.
StepPhase: TypeAlias = Literal["running", "verifying", "undoing", "checking", "caring"]
ClimbPhase: TypeAlias = Literal["waiting", "probing", "stepping", "settling", "resting"]


@dataclass(frozen=True)
class StepInProgress:
    """A step from its decision to its verdict; durable before it is carried out."""

    action_id: str
    step: str
    phase: StepPhase
    inverse: Action | None = None  # takes it back, should it be cut off before its verdict
    ended_ns: int | None = None  # when the actor was done with it
    undone: int = 0  # how often its inverse was begun
    undo_failed: bool = False  # and is to be tried again
    timed_out: bool = False  # carried out for too long: nobody knows whether it helped
    ifindex_before: int | None = None
    well_ns: int | None = None  # since when the link is well, and the node is looked at
    node: NodeHealth | None = None  # as answered since then
    node_asked_ns: int = 0
    routes_asked_ns: int = 0
    cared: bool = False  # units were restarted, once
    care_failure: str = ""  # why they were not, in words


# The last one is whatever takes longer.
RECOVERY_SECONDS = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(frozen=True)
class Recoveries:
    """How long they took, from the first evidence until they were verified."""

    counts: tuple[int, ...] = (0,) * (len(RECOVERY_SECONDS) + 1)
    total_ns: int = 0


@dataclass(frozen=True)
class Climb:
    """One NIC on the ladder: from the first evidence of a fault until it has been well for long."""

    fault: str
    phase: ClimbPhase
    due_ns: int  # when the phase goes on, or is over
    began_ns: int
    tried: tuple[str, ...] = ()  # the steps
    told: str = ""  # what need not be told again
    awaits: tuple[str, ...] = ()  # answers, before a step
    plug: UsbDevice | None = None  # as answered
    alive: bool = False  # somebody answered
    registers_asked: bool = False
    proved: bool = False  # since the step: its registers were read
    raised: int | None = None  # the ifindex that was set up again
    rests_until_ns: int | None = None  # no step is left before then
    refusals: int = 0  # of steps that were due
    raised_ns: int = 0  # when, the last time
    raises: int = 0  # how often


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
    answered_ns: int | None = None  # the latest answer


@dataclass(frozen=True)
class Health:
    """A judgement, and why: the names of the checks that say so, and all evidence in words."""

    state: HealthState
    checks: tuple[str, ...]
    evidence: tuple[str, ...]
    since: Stamp
    speaking: tuple[str, ...] = ()  # the names of all checks that say something
    told_state: HealthState | None = None  # what people were told last
    told_checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Senses:
    """What is known of a NIC just now. Not kept over a restart: it is found out anew."""

    uplink: Uplink | None = None
    uplink_ns: int | None = None  # when it was read, since the carrier is there
    reach: Reach = field(default_factory=Reach)
    was_addressed: bool = False  # since the carrier is there
    unaddressed_since_ns: int | None = None
    unrouted_since_ns: int | None = None
    witness_asked_ns: int | None = None
    speed_asked: bool = False  # since the carrier is there
    speed_asked_ns: int | None = None
    speed_unanswered: bool = False  # the driver did not tell it in time
    counters: Counters | None = None
    counters_ns: int = 0  # when they were read
    received_ns: int | None = None  # when packets had arrived since the reading before
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
    was_up: bool = False  # this netdev, administratively, at some time
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
    own_driver_seen: bool = False  # r8152 had it, in this boot
    uplink_seen: bool = False  # it carried a default route once
    routed: bool = False  # with a gateway when last addressed, and no other device has one
    gateway_known: str = ""  # the one that answered last
    device_known: str = ""  # what the interface was called then
    witness_known: str = ""  # the k3s server, where it answered on this NIC
    speed_bits: int | None = None  # of the link, where the driver told it
    speed_carrier_ups: int | None = None  # the link's carrier_up_count when it was told
    kernel_messages_total: Mapping[str, int] = field(default_factory=dict)  # by class
    kernel_seen: Mapping[str, KernelSeen] = field(default_factory=dict)  # by class, this boot
    senses: Senses = field(default_factory=Senses)
    step: StepInProgress | None = None
    tune_settled: str | None = None  # for which device, in which mode, tune is decided
    climb: Climb | None = None
    steps_taken: tuple[Stamp, ...] = ()  # the latest: what the budget is reckoned from
    steps_left: int | None = None  # of the budget; None where nothing is ever done
    recoveries_total: Mapping[str, int] = field(default_factory=dict)
    recoveries: Recoveries = field(default_factory=Recoveries)
    blocked_total: Mapping[str, int] = field(default_factory=dict)  # by reason
    incidents: tuple[Incident, ...] = ()  # the latest; the last may be open
    incidents_total: Mapping[str, int] = field(default_factory=dict)  # closed, by verdict
    attempts_total: Mapping[str, int] = field(default_factory=dict)  # by step
    failures_total: Mapping[str, int] = field(default_factory=dict)
    known_since: Stamp | None = None  # what its counts begin with; None: longer than that is known
    tallies: tuple[Tally, ...] = ()  # of the latest days


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
class Pause:
    """Nothing is done until then."""

    until: Stamp
    reason: str


@dataclass(frozen=True)
class GpuVictim:
    """A process that let go of a GPU whose head-room had run out."""

    holding: Holding
    at: Stamp


@dataclass(frozen=True)
class GpuIncident:
    """A GPU's head-room ran out: who held it, and who ended then."""

    id: str
    opened: Stamp
    free_bytes: int  # the least that was seen
    total_bytes: int
    before: tuple[Holding, ...]
    holdings: tuple[Holding, ...]
    victims: tuple[GpuVictim, ...] = ()
    closed: Stamp | None = None


@dataclass(frozen=True)
class Gpu:
    """A GPU and its counts, which outlive the daemon and reboots."""

    gpu_uuid: str
    name: str
    failure: str = ""  # why it cannot be read
    xids_total: Mapping[str, int] = field(default_factory=dict)  # by code
    xids_told_ns: Mapping[str, int] = field(default_factory=dict)  # by code, this boot
    is_low: bool = False  # its head-room has run out
    incidents: tuple[GpuIncident, ...] = ()  # the latest; the last may be open


@dataclass(frozen=True)
class GpuWatch:
    """The GPUs, and how their sampler fares."""

    gpus: Mapping[str, Gpu] = field(default_factory=dict)  # by uuid
    restarts_total: Mapping[str, int] = field(default_factory=dict)  # by reason
    told_reason: str = ""  # why the sampler ended, as it was told last
    told_ns: int = 0


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
    gap_open: bool = False  # events were lost, and no listing has made up for it yet
    unheard_ns: int | None = None  # since when a listing knows what no event told
    observe_because: Mapping[str, str] = field(default_factory=dict)  # why nothing is done, by name
    pause: Pause | None = None
    unclean_starts_wall_ns: tuple[int, ...] = ()  # the latest, of those after no orderly end
    ended: bool = False  # in order
    config_read_wall_ns: Mapping[str, int] = field(default_factory=dict)  # by file
    config_problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by file
    gpu: GpuWatch = field(default_factory=GpuWatch)
    cni: CniGuard = field(default_factory=CniGuard)


@dataclass(frozen=True)
class Durable:
    """What the store keeps: the NICs and the boot in which their kernel counts were read."""

    boot_id: str
    nics: Mapping[str, Nic]
    kernel_log_sequence: int | None = None
    unclean_starts_wall_ns: tuple[int, ...] = ()
    ended: bool = True  # what wrote it ended in order: written before that, it says no
    pause: Pause | None = None
    gpus: Mapping[str, Gpu] = field(default_factory=dict)
    cni: CniCounts = field(default_factory=CniCounts)
