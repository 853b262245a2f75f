"""What a metric is: a name, a meaning, labels, and where its samples come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agent.model.snapshot import Snapshot

SECOND_NS = 1_000_000_000

Samples: TypeAlias = Iterable[tuple[tuple[str, ...], float]]
Histograms: TypeAlias = Iterable[tuple[tuple[str, ...], "Histogram"]]


@dataclass(frozen=True)
class Histogram:
    """The count of each bucket alone, the last one's without an upper bound; and the sum."""

    upper_bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True)
class Family:
    """One metric: its name without prefix, what it means, its labels, and where it comes from."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Snapshot], Samples]


@dataclass(frozen=True)
class HistogramFamily:
    """A metric that says how often something took how long."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Snapshot], Histograms]
    kind: Literal["histogram"] = "histogram"
