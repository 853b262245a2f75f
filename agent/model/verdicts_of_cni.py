"""Verdicts on the CNI's entries: what was taken away, by whom, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class _OfEntries:
    kind: str
    culprit: str
    count: int
    entries: tuple[str, ...]  # the first of them, in words


@dataclass(frozen=True)
class CniInterference(_OfEntries):
    """Entries of a CNI's were taken away, not by its owner."""

    how: str  # is it known who: " (inferred)", or ""


@dataclass(frozen=True)
class CniLeft(_OfEntries):
    """Entries of a CNI's are gone, and it cannot be said that it was not the CNI."""

    reason: str


@dataclass(frozen=True)
class CniRestoreWithheld(_OfEntries):
    """They would have been put back; the mode in force is observe."""


@dataclass(frozen=True)
class CniRestored(_OfEntries):
    """They are back."""

    milliseconds: int  # since the first of them was lost


@dataclass(frozen=True)
class CniRestoreFailed(_OfEntries):
    """The kernel refused to take them back."""

    reason: str


@dataclass(frozen=True)
class CniRestoreWaits(_OfEntries):
    """They cannot be put back before their device, address or next hop is there."""

    reason: str


@dataclass(frozen=True)
class CniRests(_OfEntries):
    """They were put back too often: left alone for a while."""

    repeats: int
    rest_seconds: int


@dataclass(frozen=True)
class NetworkdRestart:
    """systemd-networkd was started anew."""

    total: int


@dataclass(frozen=True)
class CniExposed:
    """Settings of the host expose the CNI."""

    checks: tuple[str, ...]
    exposed: str  # how much the next start of networkd would delete


@dataclass(frozen=True)
class CniCovered:
    """They do no more."""


CniVerdict: TypeAlias = (
    CniExposed
    | CniCovered
    | CniInterference
    | CniLeft
    | CniRestoreWithheld
    | CniRestored
    | CniRestoreFailed
    | CniRestoreWaits
    | CniRests
    | NetworkdRestart
)
