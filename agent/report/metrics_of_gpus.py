"""The metrics of GPU memory. Without a present sample there are none but gpu_up and counters."""

from __future__ import annotations

from collections.abc import Callable

from agent.model.gpu import RESTART_REASONS, GpuMemory
from agent.model.snapshot import Snapshot
from agent.report.family import Family, Samples

OTHER = "other"


def _up(snapshot: Snapshot) -> Samples:
    """A GPU that was ever seen stays, at 0, until the node is booted without it."""
    read = {gpu.gpu_uuid for gpu in snapshot.gpu.gpus}
    known = [
        *snapshot.state.gpu.gpus,
        *(uuid for uuid in read if uuid not in snapshot.state.gpu.gpus),
    ]
    for uuid in known:
        yield (uuid,), float(uuid in read)
    if not known and snapshot.gpu.condition == "failed":
        yield ("",), 0.0  # NVML never said which GPUs there are


def _gpus(value: Callable[[GpuMemory], float | None]) -> Callable[[Snapshot], Samples]:
    """A sample per GPU, none where the value is unknown."""

    def samples(snapshot: Snapshot) -> Samples:
        for gpu in snapshot.gpu.gpus:
            found = value(gpu)
            if found is not None:
                yield (gpu.gpu_uuid,), found

    return samples


def _info(snapshot: Snapshot) -> Samples:
    for gpu in snapshot.gpu.gpus:
        yield (gpu.gpu_uuid, gpu.name, snapshot.gpu.driver_version), 1


def _processes(snapshot: Snapshot) -> Samples:
    """The largest have a series each; the sum over all series is that over all processes."""
    for gpu in snapshot.gpu.gpus:
        known = [h for h in gpu.processes if h.process.used_bytes is not None]
        top, rest = known[: snapshot.gpu.top_processes], known[snapshot.gpu.top_processes :]
        for holding in top:
            process = holding.process
            yield (gpu.gpu_uuid, str(process.pid), process.process), process.used_bytes or 0
        if rest:
            yield (gpu.gpu_uuid, OTHER, OTHER), sum(h.process.used_bytes or 0 for h in rest)


def _pods(peak: bool) -> Callable[[Snapshot], Samples]:
    def samples(snapshot: Snapshot) -> Samples:
        for gpu in snapshot.gpu.gpus:
            for share in gpu.shares:
                holder, value = share.holder, share.peak_bytes if peak else share.used_bytes
                if holder.pod_uid and value is not None:
                    names = (holder.namespace, holder.pod, holder.container, holder.pod_uid)
                    yield (gpu.gpu_uuid, *names), value

    return samples


def _units(snapshot: Snapshot) -> Samples:
    for gpu in snapshot.gpu.gpus:
        for share in gpu.shares:
            if share.holder.unit and share.used_bytes is not None:
                yield (gpu.gpu_uuid, share.holder.unit), share.used_bytes


def _xids(snapshot: Snapshot) -> Samples:
    for gpu in snapshot.state.gpu.gpus.values():
        for code, total in gpu.xids_total.items():
            yield (gpu.gpu_uuid, code), total


def _restarts(snapshot: Snapshot) -> Samples:
    totals = snapshot.state.gpu.restarts_total
    if snapshot.gpu.condition != "absent" or totals:
        # Known label sets start at 0, so that the first one is an increase to rate().
        for reason in RESTART_REASONS:
            yield (reason,), totals.get(reason, 0)


_POD_LABELS = ("gpu_uuid", "namespace", "pod", "container", "pod_uid")

GPU_FAMILIES: tuple[Family, ...] = (
    Family(
        "gpu_up",
        "gauge",
        "1 while the GPU's memory is sampled, 0 while it is not: it is lost, or the sampler fails "
        "(then nothing else is told of it); absent where there is no NVIDIA driver.",
        ("gpu_uuid",),
        _up,
    ),
    Family(
        "gpu_info",
        "gauge",
        "Always 1 while the GPU is sampled; what it is, in labels.",
        ("gpu_uuid", "name", "driver_version"),
        _info,
    ),
    Family(
        "gpu_memory_total_bytes",
        "gauge",
        "Memory of the GPU: used, reserved and free.",
        ("gpu_uuid",),
        _gpus(lambda gpu: gpu.total_bytes),
    ),
    Family(
        "gpu_memory_used_bytes",
        "gauge",
        "Memory in use, without what the driver reserves; with it where "
        "gpu_memory_reserved_bytes is absent.",
        ("gpu_uuid",),
        _gpus(lambda gpu: gpu.used_bytes),
    ),
    Family(
        "gpu_memory_reserved_bytes",
        "gauge",
        "Memory that the driver keeps for itself; absent where it does not say (before 510, WSL).",
        ("gpu_uuid",),
        _gpus(lambda gpu: gpu.reserved_bytes),
    ),
    Family(
        "gpu_memory_unattributed_bytes",
        "gauge",
        "Memory in use that no process is known to hold: some MiB of the driver's as soon as "
        "anything runs, managed (UVM) memory, or what nobody gave back. Absent where it cannot be "
        "known: a process whose memory NVML does not tell, or a driver that does not tell what it "
        "reserves.",
        ("gpu_uuid",),
        _gpus(lambda gpu: gpu.unattributed_bytes),
    ),
    Family(
        "gpu_processes",
        "gauge",
        "Processes on the GPU, by its compute, graphics and MPS lists, each once.",
        ("gpu_uuid",),
        _gpus(lambda gpu: len(gpu.processes)),
    ),
    Family(
        "gpu_process_memory_used_bytes",
        "gauge",
        "Memory that a process holds: its compute or its graphics memory, whichever is more. "
        'The largest gpu.top_processes of each GPU; the sum of the rest has pid="other". Absent '
        "where NVML does not tell it.",
        ("gpu_uuid", "pid", "process"),
        _processes,
    ),
    Family(
        "gpu_pod_memory_used_bytes",
        "gauge",
        "Memory that the processes of a pod's container hold. A pod whose names could not be found "
        "has its uid only. Absent where NVML does not tell it of one of them.",
        _POD_LABELS,
        _pods(peak=False),
    ),
    Family(
        "gpu_pod_memory_peak_bytes",
        "gauge",
        "The most that a pod's container was seen to hold at once, since the pod started and "
        "nodemend watches, over restarts of nodemend. What came and went between two samples was "
        "not seen and is not in it, but for the largest single process where NVML's accounting "
        "mode is on. It stays for as long as the pod is there.",
        _POD_LABELS,
        _pods(peak=True),
    ),
    Family(
        "gpu_host_memory_used_bytes",
        "gauge",
        "Memory that processes outside of pods hold, by their unit.",
        ("gpu_uuid", "unit"),
        _units,
    ),
    Family(
        "gpu_xid_errors_total",
        "counter",
        "Faults that the driver reported (Xid), by code; those before nodemend ran are not known.",
        ("gpu_uuid", "xid"),
        _xids,
    ),
    Family(
        "gpu_sampler_restarts_total",
        "counter",
        "Times the process that talks to NVML had to be started anew: deadline (it said nothing), "
        "crash, driver_replaced, no_driver, gpu_lost, garbage.",
        ("reason",),
        _restarts,
    ),
)
