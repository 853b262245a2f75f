"""What of the samples is a fact for decisions: GPUs that come and go, faults, head-room. Pure.

Only changes are told, and those of head-room no more often than every few seconds: the recording is
to last for hours, not for the minutes that a thousand samples would fill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.decide import headroom
from agent.model.facts import Fact
from agent.model.facts_of_gpus import GpuHeadroomRead, GpusSeen, GpuXidSeen, SeenGpu
from agent.model.gpu import GpuSample, GpuXid, Holding
from agent.model.identity import Stamp

HOLDINGS_MAX = 16  # the largest, of one fact
QUIET_SECONDS = 5  # between two facts of one GPU that only tell who ended
NEAR_SECONDS = 30  # for so long after head-room was out, an end may still come of it
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class _Gpu:
    """What was told of one GPU, and what must be known to tell what changes."""

    holdings: tuple[Holding, ...] = ()  # of the latest sample, the largest
    is_low: bool = False
    low_ns: int | None = None  # when it was low last
    told_ns: int = 0
    ended: tuple[Holding, ...] = ()  # not told yet


@dataclass(frozen=True)
class Noticed:
    """What has been told so far."""

    seen: tuple[SeenGpu, ...] | None = None
    gpus: Mapping[str, _Gpu] = field(default_factory=dict)


def notice(before: Noticed, sample: GpuSample, needed_bytes: int) -> tuple[Noticed, list[Fact]]:
    """The facts in a sample."""
    facts: list[Fact] = []
    seen = tuple(SeenGpu(r.gpu_uuid, r.name, r.failure) for r in sample.readings)
    if seen != before.seen:
        facts.append(GpusSeen(sample.at, sample.driver_version, seen))
    gpus = dict(before.gpus)
    for reading in sample.readings:
        if reading.failure:
            gpus.pop(reading.gpu_uuid, None)
            continue
        known = gpus.get(reading.gpu_uuid, _Gpu())
        holdings = _largest(sample.holdings.get(reading.gpu_uuid, ()))
        gone = _gone(known.holdings, sample.holdings.get(reading.gpu_uuid, ()))
        is_low = headroom.is_low(reading.free_bytes, needed_bytes, was_low=known.is_low)
        now_ns = sample.at.boottime_ns
        low_ns = now_ns if is_low or known.is_low else known.low_ns
        is_near = low_ns is not None and now_ns - low_ns <= NEAR_SECONDS * _SECOND_NS
        ended = (*known.ended, *gone)[:HOLDINGS_MAX] if is_near else ()
        is_quiet = now_ns - known.told_ns < QUIET_SECONDS * _SECOND_NS
        after = replace(known, holdings=holdings, is_low=is_low, low_ns=low_ns, ended=ended)
        if is_low != known.is_low or (ended and not is_quiet):
            facts.append(
                GpuHeadroomRead(
                    sample.at,
                    reading.gpu_uuid,
                    reading.total_bytes,
                    reading.free_bytes,
                    known.holdings,
                    holdings,
                    ended,
                )
            )
            after = replace(after, told_ns=now_ns, ended=())
        gpus[reading.gpu_uuid] = after
    return Noticed(seen, gpus), facts


def faults(at: Stamp, xids: tuple[GpuXid, ...]) -> list[Fact]:
    """A fact for each kind of fault, with how often it came."""
    return [
        GpuXidSeen(at, found.gpu_uuid, found.xid, count) for found, count in Counter(xids).items()
    ]


def _largest(holdings: tuple[Holding, ...]) -> tuple[Holding, ...]:
    ranked = sorted(holdings, key=lambda each: -(each.process.used_bytes or 0))
    return tuple(ranked[:HOLDINGS_MAX])


def _gone(before: tuple[Holding, ...], now: tuple[Holding, ...]) -> tuple[Holding, ...]:
    """Those that held memory one sample earlier and do not any more, with what they held."""
    here = {(each.process.pid, each.process.start_ticks) for each in now}
    return tuple(h for h in before if (h.process.pid, h.process.start_ticks) not in here)
