"""What a metric is: a name, a meaning, labels, and where its samples come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agent.model.snapshot import Snapshot

SECOND_NS = 1_000_000_000

Samples: TypeAlias = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Family:
    """One metric: its name without prefix, what it means, its labels, and where it comes from."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Snapshot], Samples]
