"""What is known of GPU memory, as one object: for programs, status, the page, `nodemend gpu`."""

from __future__ import annotations

from typing import Any

from agent.model.gpu import GpuMemory, GpuView, Holder, Holding, Share
from agent.model.state import GpuWatch

_SECOND_NS = 1_000_000_000
# nvmlComputeMode_t
COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}


def as_object(view: GpuView, watch: GpuWatch, *, with_processes: bool = True) -> dict[str, Any]:
    """Bytes and Unix seconds; null is unknown."""
    sampled = view.sampled
    return {
        "condition": view.condition,
        "words": view.words,
        "driver_version": view.driver_version or None,
        "sampled_timestamp_seconds": sampled.wall_ns / _SECOND_NS if sampled else None,
        "headroom_needed_bytes": view.headroom_bytes,
        "gpus": [_gpu(gpu, view, with_processes=with_processes) for gpu in view.gpus],
        "lost": [
            {"gpu_uuid": gpu.gpu_uuid, "name": gpu.name, "failure": gpu.failure}
            for gpu in watch.gpus.values()
            if gpu.failure
        ],
        "xid_errors_total": {
            gpu.gpu_uuid: dict(gpu.xids_total) for gpu in watch.gpus.values() if gpu.xids_total
        },
    }


def _gpu(gpu: GpuMemory, view: GpuView, *, with_processes: bool) -> dict[str, Any]:
    found = {
        "gpu_uuid": gpu.gpu_uuid,
        "name": gpu.name,
        "total_bytes": gpu.total_bytes,
        "used_bytes": gpu.used_bytes,
        "reserved_bytes": gpu.reserved_bytes,
        "unattributed_bytes": gpu.unattributed_bytes,
        "free_bytes": gpu.free_bytes,
        "is_low": gpu.free_bytes < view.headroom_bytes,
        "replicas": gpu.replicas,
        "fair_share_bytes": gpu.fair_share_bytes,
        "compute_mode": COMPUTE_MODES.get(gpu.compute_mode)
        if gpu.compute_mode is not None
        else None,
        "persistence": gpu.persistence,
        "holders": [_share(share, gpu) for share in gpu.shares],
        "process_count": len(gpu.processes),
    }
    if with_processes:
        found["processes"] = [_process(holding) for holding in gpu.processes]
    return found


def _share(share: Share, gpu: GpuMemory) -> dict[str, Any]:
    fair = gpu.fair_share_bytes
    used = share.used_bytes
    return {
        **_holder(share.holder),
        "used_bytes": used,
        "peak_bytes": share.peak_bytes,
        "fair_shares": used / fair if fair and used is not None else None,
        "processes": share.processes,
    }


def _process(holding: Holding) -> dict[str, Any]:
    process = holding.process
    return {
        "pid": process.pid,
        "process": process.process,
        "used_bytes": process.used_bytes,
        **_holder(holding.holder),
    }


def _holder(holder: Holder) -> dict[str, str | None]:
    names = {
        "namespace": holder.namespace,
        "pod": holder.pod,
        "container": holder.container,
        "pod_uid": holder.pod_uid,
        "unit": holder.unit,
    }
    return {name: words or None for name, words in names.items()}
