"""Facts about GPUs: what of the samples matters to decisions. The samples themselves are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agent.model.gpu import Holding, RestartReason
from agent.model.identity import Stamp


@dataclass(frozen=True)
class SeenGpu:
    """A GPU that NVML lists; `failure` says why it cannot be read."""

    gpu_uuid: str
    name: str
    failure: str


@dataclass(frozen=True)
class GpusSeen:
    """Which GPUs there are; told when it is another answer than before."""

    at: Stamp
    driver_version: str
    gpus: tuple[SeenGpu, ...]


@dataclass(frozen=True)
class GpuXidSeen:
    """The driver reported a fault of a GPU, `count` times within one sample."""

    at: Stamp
    gpu_uuid: str
    xid: int
    count: int


@dataclass(frozen=True)
class GpuHeadroomRead:
    """What is free of a GPU; told when it crosses the limit, and when a holder ends near it."""

    at: Stamp
    gpu_uuid: str
    total_bytes: int
    free_bytes: int
    before: tuple[Holding, ...]  # the largest, one sample earlier
    holdings: tuple[Holding, ...]  # the largest now
    ended: tuple[Holding, ...]  # since the last time that this was told


@dataclass(frozen=True)
class GpuSamplerEnded:
    """The sampler's process ended and was not told to, or was ended since it said nothing."""

    at: Stamp
    reason: RestartReason
    words: str
    retry_seconds: float | None  # None: not before the one that hangs has ended


@dataclass(frozen=True)
class GpuPeaksSpoiled:
    """The file of peaks could not be used; where it was set aside, and why."""

    at: Stamp
    path: str
    reason: str


@dataclass(frozen=True)
class GpuReleaseRequested:
    """Somebody wants the GPU's driver to be left alone for so long; 0: no longer."""

    at: Stamp
    seconds: int


GpuFact: TypeAlias = (
    GpusSeen
    | GpuXidSeen
    | GpuHeadroomRead
    | GpuSamplerEnded
    | GpuReleaseRequested
    | GpuPeaksSpoiled
)
