"""Incidents of GPUs for people and for programs: who held the memory, who ended."""

from __future__ import annotations

from typing import Any

from agent.model.gpu import Holding
from agent.model.state import Gpu, GpuIncident, GpuWatch
from agent.report.gpu_table import holder_in_words, mebibytes
from agent.report.when import clock_time

_SECOND_NS = 1_000_000_000


def as_objects(watch: GpuWatch) -> list[dict[str, Any]]:
    """All that are kept; times are Unix seconds."""
    return [_object(gpu, i) for gpu in watch.gpus.values() for i in gpu.incidents]


def in_short(incident: dict[str, Any]) -> str:
    """For a list."""
    state = "open" if incident["closed_timestamp_seconds"] is None else "over"
    victims = len(incident["victims"])
    ended = f" ({victims} process(es) ended meanwhile)" if victims else ""
    return f"{incident['name']}: {incident['fault']}; {state}{ended}"


def in_words(incident: dict[str, Any]) -> str:
    """The whole of one."""
    free, total = mebibytes(incident["free_bytes"]), mebibytes(incident["total_bytes"])
    opened = clock_time(incident["opened_timestamp_seconds"])
    lines = [
        f"{incident['id']}: {incident['name']} ({incident['gpu_uuid']}), {incident['fault']}",
        f"  {opened}  {free} of {total} free at the least",
        *_listed("held by", incident["holders"]),
        *_listed("one sample earlier", incident["before"]),
    ]
    for victim in incident["victims"]:
        ended = clock_time(victim["ended_timestamp_seconds"])
        lines.append(f"  {ended}  ended, likely a victim: {_row(victim)}")
    closed = incident["closed_timestamp_seconds"]
    lines.append(f"  {clock_time(closed)}  closed" if closed is not None else "  it is open")
    return "\n".join(lines)


def _object(gpu: Gpu, incident: GpuIncident) -> dict[str, Any]:
    closed = incident.closed
    return {
        "id": incident.id,
        "gpu_uuid": gpu.gpu_uuid,
        "name": gpu.name,
        "fault": "its head-room ran out",
        "opened_timestamp_seconds": incident.opened.wall_ns / _SECOND_NS,
        "closed_timestamp_seconds": closed.wall_ns / _SECOND_NS if closed else None,
        "free_bytes": incident.free_bytes,
        "total_bytes": incident.total_bytes,
        "before": [_holding(each) for each in incident.before],
        "holders": [_holding(each) for each in incident.holdings],
        "victims": [
            {**_holding(v.holding), "ended_timestamp_seconds": v.at.wall_ns / _SECOND_NS}
            for v in incident.victims
        ],
    }


def _holding(holding: Holding) -> dict[str, Any]:
    holder, process = holding.holder, holding.process
    return {
        "pid": process.pid,
        "process": process.process,
        "used_bytes": process.used_bytes,
        "namespace": holder.namespace,
        "pod": holder.pod,
        "container": holder.container,
        "pod_uid": holder.pod_uid,
        "unit": holder.unit,
    }


def _listed(heading: str, rows: list[dict[str, Any]]) -> list[str]:
    return [f"{'':23}{heading}:", *(f"{'':25}{_row(row)}" for row in rows)] if rows else []


def _row(row: dict[str, Any]) -> str:
    used = "N/A" if row["used_bytes"] is None else mebibytes(row["used_bytes"])
    return f"{holder_in_words(row)}, process {row['pid']} ({row['process']}): {used}"
