"""Verdicts on GPUs: found and lost, faults, head-room, the sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class _OfGpu:
    gpu: str  # its uuid
    name: str


@dataclass(frozen=True)
class GpuFound(_OfGpu):
    """A GPU's memory is looked at from now on."""

    driver_version: str


@dataclass(frozen=True)
class GpuLost(_OfGpu):
    """A GPU cannot be read any more."""

    reason: str


@dataclass(frozen=True)
class GpuReturned(_OfGpu):
    """A GPU that was lost can be read again."""


@dataclass(frozen=True)
class GpuProgramFault(_OfGpu):
    """The driver reported a fault that a program made."""

    xid: int
    meaning: str
    total: int


@dataclass(frozen=True)
class GpuHardwareFault(_OfGpu):
    """The driver reported a fault of the GPU, the bus or the driver itself."""

    xid: int
    meaning: str
    total: int


@dataclass(frozen=True)
class GpuHeadroomOut(_OfGpu):
    """Less of a GPU's memory is free than the next process needs."""

    free_mib: int
    total_mib: int
    holders: tuple[str, ...]
    before: tuple[str, ...]  # one sample earlier


@dataclass(frozen=True)
class GpuVictimSeen(_OfGpu):
    """A process ended while a GPU's head-room had run out."""

    holder: str
    held_mib: int


@dataclass(frozen=True)
class GpuHeadroomBack(_OfGpu):
    """There is head-room again, and was for a while."""

    free_mib: int
    lasted_seconds: int


@dataclass(frozen=True)
class GpuSamplerRestarted:
    """The sampler's process ended; another one is started, or must wait for it."""

    reason: str
    detail: str
    next_try: str


@dataclass(frozen=True)
class GpuReleased:
    """Nothing of ours holds the GPU's driver for a while."""

    seconds: int


@dataclass(frozen=True)
class GpuTakenUp:
    """GPU memory is looked at again, since somebody said so."""


GpuVerdict: TypeAlias = (
    GpuFound
    | GpuHardwareFault
    | GpuHeadroomBack
    | GpuHeadroomOut
    | GpuLost
    | GpuProgramFault
    | GpuReleased
    | GpuReturned
    | GpuSamplerRestarted
    | GpuTakenUp
    | GpuVictimSeen
)
