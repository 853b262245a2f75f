"""What decisions may assume of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

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


FaultKind: TypeAlias = Literal[
    "wedged", "gone", "down", "wrong_driver", "flapping", "slow_link", "usb2"
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
# The others a NIC works with, more or less: to interrupt it for them is somebody's decision.
ACT_ON: tuple[FaultKind, ...] = ("wedged", "gone", "down", "wrong_driver")

StepName: TypeAlias = Literal[
    "tune",
    "link_bounce",
    "restore_name",
    "renew_addresses",
    "usb_reset",
    "driver_rebind",
    "usb_config_cycle",
    "usb_reauthorize",
    "port_power",
]
STEP_NAMES: tuple[StepName, ...] = get_args(StepName)

RELEASE_SECONDS_MAX = 24 * 3600  # who wants more of it stops the service
PAUSE_SECONDS_MAX = 7 * 24 * 3600  # who wants more of it wants mode observe
AFTERCARE_MAX = 8
STEPS_MAX = 64  # that remediation.budget may allow: so many are remembered


@dataclass(frozen=True)
class BudgetPolicy:
    """At most so many steps within so long, for each NIC."""

    steps: int = 10
    within_ns: int = 3_600_000_000_000


@dataclass(frozen=True)
class RemediationPolicy:
    """What is repaired, by which steps, and how much of it."""

    act_on: tuple[FaultKind, ...] = ACT_ON
    steps: tuple[StepName, ...] = STEP_NAMES  # what may be done; the order is the ladder's
    down_grace_ns: int = 180_000_000_000  # without a carrier, before anything is done about it
    budget: BudgetPolicy = field(default_factory=BudgetPolicy)
    settle_ns: int = 60_000_000_000  # well for so long, and a repair is over
    # Units to restart, once, where the link is back and k3s or Cilium is not.
    aftercare: tuple[str, ...] = ()


REPLICAS_MAX = 1024  # of one GPU, by time-slicing
TOP_PROCESSES_MAX = 1000  # the driver tells of 950 of a GPU


@dataclass(frozen=True)
class GpuPolicy:
    """How GPU memory is looked at."""

    interval_ns: int = 1_000_000_000  # from sample to sample
    top_processes: int = 20  # of each GPU that have a series of their own
    replicas: int | None = None  # that share a GPU by time-slicing; None: the kubelet's files say
    headroom_bytes: int = 256 * 1024 * 1024  # less than that is free: an incident; 0: never


REPEATS_MAX = 64  # that cni_guard.repeats may allow: so many are remembered of each entry
# As the CNIs that are known (agent/cni_table.py) call theirs.
CNI_INTERFACES = (
    "cilium_*",
    "lxc*",
    "flannel.*",
    "flannel-v6.*",
    "cni0",
    "veth*",
    "cali*",
    "tunl0",
    "vxlan.calico",
    "vxlan-v6.calico",
    "wireguard.cali",
)


@dataclass(frozen=True)
class RepeatsPolicy:
    """Put back so often within so long, an entry is left alone for a while."""

    count: int = 5
    within_ns: int = 600_000_000_000


@dataclass(frozen=True)
class CniGuardPolicy:
    """What of the host's network is guarded for the CNI, and how hard."""

    interfaces: tuple[str, ...] = CNI_INTERFACES  # globs
    repeats: RepeatsPolicy = field(default_factory=RepeatsPolicy)
    rest_ns: int = 600_000_000_000


@dataclass(frozen=True)
class Policy:
    """The part of the configuration that decisions depend on."""

    mode: Mode = "observe"
    match: tuple[NicMatch, ...] = ()
    ignore: tuple[NicMatch, ...] = ()
    expect_speed_bits: int | None = None
    probe: ProbePolicy = field(default_factory=ProbePolicy)
    flapping: FlappingPolicy = field(default_factory=FlappingPolicy)
    remediation: RemediationPolicy = field(default_factory=RemediationPolicy)
    gpu: GpuPolicy = field(default_factory=GpuPolicy)
    cni_guard: CniGuardPolicy = field(default_factory=CniGuardPolicy)
