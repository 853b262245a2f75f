"""GPU memory: what NVML reads, who holds it, and what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from agent.model.identity import Stamp

# Why the sampler had to be started anew. deadline: no sample in time; crash: it ended by itself;
# driver_replaced: the library is not the loaded driver's (NVML_ERROR_LIB_RM_VERSION_MISMATCH);
# no_driver, gpu_lost: NVML says so; garbage: what it wrote is no sample.
RestartReason: TypeAlias = Literal[
    "deadline", "crash", "driver_replaced", "no_driver", "gpu_lost", "garbage"
]
RESTART_REASONS: tuple[RestartReason, ...] = get_args(RestartReason)


# --- as the sampler tells it ------------------------------------------------------------------


@dataclass(frozen=True)
class GpuProcess:
    """A process on a GPU; its identity is pid and start together, since pids are used again."""

    pid: int
    start_ticks: int  # field 22 of /proc/PID/stat
    process: str  # comm, 15 characters at most: never the command line, which holds secrets
    used_bytes: int | None  # None: NVML says N/A
    peak_bytes: int | None = None  # of its life, where NVML's accounting is on


@dataclass(frozen=True)
class GpuReading:
    """One GPU at one moment."""

    gpu_uuid: str  # "" where not even that can be read
    name: str = ""
    failure: str = ""  # why the rest is not known
    total_bytes: int = 0
    used_bytes: int = 0  # without what is reserved, where that is known
    reserved_bytes: int | None = None  # None: an older driver, which counts it as used
    free_bytes: int = 0
    processes: tuple[GpuProcess, ...] = ()
    ended: tuple[GpuProcess, ...] = ()  # since the sample before, as accounting remembers them
    compute_mode: int | None = None  # nvmlComputeMode_t: 0 default, 2 prohibited, 3 exclusive
    persistence: bool | None = None
    is_listed: bool = True  # the driver tells its processes


@dataclass(frozen=True)
class GpuXid:
    """A fault that the driver reports of a GPU, once for each time."""

    gpu_uuid: str
    xid: int


@dataclass(frozen=True)
class GpuReport:
    """What the sampler says at once: a sample, or why it had to drop one."""

    driver_version: str = ""
    readings: tuple[GpuReading, ...] = ()
    xids: tuple[GpuXid, ...] = ()
    dropped: str = ""  # why there are no readings


# --- who holds it -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Holder:
    """A container of a pod, or a unit of the host. Names that cannot be found out are empty."""

    unit: str = ""  # "" for a pod
    pod_uid: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""

    @property
    def key(self) -> str:
        """The same for as long as it lives, whether or not its names are known by now."""
        return f"{self.pod_uid}/{self.container}" if self.pod_uid else f"unit:{self.unit}"


@dataclass(frozen=True)
class Holding:
    """A process and whose it is."""

    process: GpuProcess
    holder: Holder


@dataclass(frozen=True)
class GpuSample:
    """One moment of all GPUs, every process with its holder, by uuid."""

    at: Stamp
    driver_version: str
    readings: tuple[GpuReading, ...]
    holdings: Mapping[str, tuple[Holding, ...]]
    ended: Mapping[str, tuple[Holding, ...]] = field(default_factory=dict)
    pods_here: frozenset[str] | None = None  # uids; None where that cannot be told
    replicas: Mapping[str, int] = field(default_factory=dict)  # by uuid, where somebody says


# --- what outlives a restart ------------------------------------------------------------------


@dataclass(frozen=True)
class Peak:
    """The most that one container was seen to hold of one GPU."""

    gpu_uuid: str
    holder: Holder
    peak_bytes: int
    reached_wall_ns: int


@dataclass(frozen=True)
class GpuHistory:
    """The peaks, by GPU and holder."""

    peaks: Mapping[str, Peak] = field(default_factory=dict)


# --- what is shown ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """What one holder has of one GPU."""

    holder: Holder
    used_bytes: int | None  # None: NVML says N/A of one of its processes, or it has none now
    peak_bytes: int | None  # None: never seen
    processes: int


@dataclass(frozen=True)
class GpuMemory:
    """One GPU's memory, and who holds it, the largest first."""

    gpu_uuid: str
    name: str
    total_bytes: int
    used_bytes: int
    reserved_bytes: int | None
    free_bytes: int
    unattributed_bytes: int | None  # None: cannot be known
    processes: tuple[Holding, ...]
    shares: tuple[Share, ...]
    replicas: int | None = None  # that share it by time-slicing; None: unknown
    compute_mode: int | None = None
    persistence: bool | None = None

    @property
    def fair_share_bytes(self) -> int | None:
        """What each replica has if all take the same."""
        return self.total_bytes // self.replicas if self.replicas else None


GpuCondition: TypeAlias = Literal["absent", "starting", "sampling", "failed", "released"]


@dataclass(frozen=True)
class GpuView:
    """All that is known of the GPUs just now. `gpus` is empty unless it is sampling."""

    condition: GpuCondition = "absent"
    words: str = ""  # why it is not sampling
    driver_version: str = ""
    sampled: Stamp | None = None
    gpus: tuple[GpuMemory, ...] = ()
    samples_total: int = 0
    dropped_total: int = 0
    top_processes: int = 20
    headroom_bytes: int = 0
