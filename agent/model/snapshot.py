"""What the daemon shows of itself at one moment; everything in report/ renders this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agent.model.gpu import GpuView
from agent.model.identity import Stamp
from agent.model.policy import Mode, Policy
from agent.model.state import State

SourceCondition: TypeAlias = Literal["ok", "failed", "not_applicable"]


@dataclass(frozen=True)
class Source:
    """One place that facts come from, and whether they still do."""

    condition: SourceCondition
    detail: str
    facts_total: int = 0
    dropped_total: int = 0
    resyncs_total: int = 0
    last_success_wall_ns: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """Immutable, so that any thread may render it while the loop goes on."""

    version: str
    mode: Mode  # in force: steps may be withheld although the policy would take them
    policy: Policy
    config_path: str | None
    started: Stamp
    at: Stamp
    state: State
    sources: Mapping[str, Source]
    gpu: GpuView = field(default_factory=GpuView)
