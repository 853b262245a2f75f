"""From samples to who holds how much of each GPU, now and at its peak. Pure.

Samples come every second and hold hundreds of processes: they are not facts, and are neither
decided on nor recorded. What of them matters to decisions is picked out in agent/gpu_notice.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.model.gpu import (
    GpuHistory,
    GpuMemory,
    GpuReading,
    GpuSample,
    Holder,
    Holding,
    Peak,
    Share,
)
from agent.model.policy import GpuPolicy

PEAKS_MAX = 1024


def named(history: GpuHistory, sample: GpuSample) -> GpuSample:
    """The sample, with names known from before for pods whose files are gone by now."""
    by_uid: dict[str, list[Holder]] = {}
    for peak in history.peaks.values():
        if peak.holder.pod:
            by_uid.setdefault(peak.holder.pod_uid, []).append(peak.holder)

    def name(holding: Holding) -> Holding:
        holder = holding.holder
        known = by_uid.get(holder.pod_uid) if holder.pod_uid else None
        if not known or (holder.pod and holder.container):
            return holding
        containers = {each.container for each in known}
        holder = replace(
            holder,
            namespace=holder.namespace or known[0].namespace,
            pod=holder.pod or known[0].pod,
            # Of several containers it cannot be told which.
            container=holder.container or (containers.pop() if len(containers) == 1 else ""),
        )
        return replace(holding, holder=holder)

    if not by_uid:
        return sample
    holdings = {uuid: tuple(map(name, found)) for uuid, found in sample.holdings.items()}
    ended = {uuid: tuple(map(name, found)) for uuid, found in sample.ended.items()}
    return replace(sample, holdings=holdings, ended=ended)


def remember(history: GpuHistory, sample: GpuSample) -> GpuHistory:
    """The peaks after this sample; those of pods that are gone are dropped."""
    peaks, held = dict(history.peaks), set()
    for reading in _well(sample):
        uuid = reading.gpu_uuid
        ended = sample.ended.get(uuid, ())
        for holder, holdings in _by_holder((*sample.holdings.get(uuid, ()), *ended)).items():
            if not holder.pod_uid:
                continue
            key = f"{uuid}/{holder.key}"
            held.add(key)
            seen = _seen_bytes(holdings, ended)
            known = peaks.get(key)
            if seen > (known.peak_bytes if known is not None else 0):
                peaks[key] = Peak(uuid, holder, seen, sample.at.wall_ns)
            elif known is not None and known.holder != holder:
                peaks[key] = replace(known, holder=holder)
    kept = _kept(peaks, held, sample)
    return history if kept == history.peaks else GpuHistory(kept)


def memory(history: GpuHistory, sample: GpuSample, policy: GpuPolicy) -> tuple[GpuMemory, ...]:
    """Every GPU that could be read, with the holders of its memory."""
    return tuple(_memory(history, sample, reading, policy) for reading in _well(sample))


def _well(sample: GpuSample) -> Iterable[GpuReading]:
    return (reading for reading in sample.readings if not reading.failure)


def _by_holder(holdings: Iterable[Holding]) -> Mapping[Holder, list[Holding]]:
    found: dict[Holder, list[Holding]] = {}
    for holding in holdings:
        found.setdefault(holding.holder, []).append(holding)
    return found


def _sum_bytes(holdings: Iterable[Holding]) -> int | None:
    """None where one of them is N/A: a part is no sum."""
    total = 0
    for holding in holdings:
        if holding.process.used_bytes is None:
            return None
        total += holding.process.used_bytes
    return total


def _seen_bytes(holdings: list[Holding], ended: tuple[Holding, ...]) -> int:
    """All processes of this moment, or the largest that accounting ever saw: whichever is more.

    Accounting knows each process's own peak, and not whether they came at the same time.
    """
    gone = set(ended)
    now = [each for each in holdings if each not in gone]
    largest = max((each.process.peak_bytes or 0 for each in holdings), default=0)
    return max(_sum_bytes(now) or 0, largest)


def _kept(peaks: Mapping[str, Peak], held: set[str], sample: GpuSample) -> Mapping[str, Peak]:
    """Without the pods that are gone; where there are too many, without the oldest of the idle."""
    here = sample.pods_here
    kept = {
        key: peak
        for key, peak in peaks.items()
        if key in held or here is None or peak.holder.pod_uid in here
    }
    surplus = len(kept) - PEAKS_MAX
    if surplus > 0:
        idle = sorted(kept.keys() - held, key=lambda key: kept[key].reached_wall_ns)
        for key in idle[:surplus]:
            del kept[key]
    return kept


def _memory(
    history: GpuHistory, sample: GpuSample, reading: GpuReading, policy: GpuPolicy
) -> GpuMemory:
    uuid = reading.gpu_uuid
    holdings = sample.holdings.get(uuid, ())
    attributed = _sum_bytes(holdings)
    unattributed = None
    if reading.is_listed and attributed is not None and reading.reserved_bytes is not None:
        # A process that ended between the list and the sum is not used any more: never below 0.
        unattributed = max(0, reading.used_bytes - attributed)
    return GpuMemory(
        gpu_uuid=uuid,
        name=reading.name,
        total_bytes=reading.total_bytes,
        used_bytes=reading.used_bytes,
        reserved_bytes=reading.reserved_bytes,
        free_bytes=reading.free_bytes,
        unattributed_bytes=unattributed,
        processes=tuple(sorted(holdings, key=lambda each: -(each.process.used_bytes or 0))),
        shares=_shares(history, uuid, holdings),
        replicas=policy.replicas or sample.replicas.get(uuid) or sample.replicas.get(""),
        compute_mode=reading.compute_mode,
        persistence=reading.persistence,
    )


def _shares(history: GpuHistory, uuid: str, holdings: tuple[Holding, ...]) -> tuple[Share, ...]:
    peaks = {peak.holder: peak for peak in history.peaks.values() if peak.gpu_uuid == uuid}
    shares = []
    for holder, held in _by_holder(holdings).items():
        peak = peaks.pop(holder, None)
        peak_bytes = peak.peak_bytes if peak is not None else None
        shares.append(Share(holder, _sum_bytes(held), peak_bytes, len(held)))
    # A pod that has let go of the GPU and is still there: its peak is what people ask for.
    shares += [Share(peak.holder, None, peak.peak_bytes, 0) for peak in peaks.values()]
    return tuple(sorted(shares, key=lambda s: (-(s.used_bytes or 0), -(s.peak_bytes or 0))))
