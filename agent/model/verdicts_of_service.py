"""Verdicts on the daemon itself, its configuration and its sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WatchBegan:
    """The first full look is done: what is watched, what else is there, what cannot be seen."""

    version: str
    mode: str
    watched: tuple[str, ...]
    bystanders: tuple[str, ...]
    blind_spots: tuple[str, ...]


@dataclass(frozen=True)
class WatchEnded:
    """The daemon ends."""

    reason: str


@dataclass(frozen=True)
class KernelLogOverrun:
    """The kernel wrote faster than was read."""

    lost: int


@dataclass(frozen=True)
class SourceLostMessages:
    """A source lost messages; everything is read anew."""

    source: str
    reason: str


@dataclass(frozen=True)
class ReadingFailed:
    """A reading of the system failed or took too long."""

    question: str
    reason: str


@dataclass(frozen=True)
class StateSetAside:
    """The state file could not be used and was kept aside; counts start anew."""

    path: str
    reason: str


@dataclass(frozen=True)
class ConfigReloaded:
    """A configuration file was read anew and is in force."""

    path: str
    mode: str
    watched: tuple[str, ...]


@dataclass(frozen=True)
class ConfigRefused:
    """A configuration file was read anew and is wrong; the one before stays in force."""

    path: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class SourceFailed:
    """A source delivers no more."""

    source: str
    reason: str


@dataclass(frozen=True)
class SourceRecovered:
    """A source delivers again."""

    source: str


@dataclass(frozen=True)
class ObserveForced:
    """Nothing is done for now, whatever the configuration says."""

    reason: str
    ends: str


@dataclass(frozen=True)
class Paused:
    """Nothing is done for now, since somebody said so."""

    seconds: int
    reason: str


@dataclass(frozen=True)
class Resumed:
    """The pause is over."""

    reason: str


@dataclass(frozen=True)
class ObserveLifted:
    """Steps may be taken again, if the configuration says so."""

    reason: str
