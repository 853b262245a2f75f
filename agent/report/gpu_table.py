"""`nodemend gpu` for people: a table for the terminal, or one for a page in Markdown.

The rows of a GPU add up to its total: what nobody is known to hold, what the driver reserves and
what is free are rows, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

By: TypeAlias = Literal["pod", "process"]
_MEBIBYTE = 1024 * 1024
_NO_PEAK = "The peaks are those that the daemon saw; it does not run, so there are none."
_PEAK = (
    "A peak is the most that was seen at once since the pod started and nodemend watches; what "
    "came and went between two samples is not in it."
)


@dataclass(frozen=True)
class _Column:
    heading: str
    is_number: bool
    value: Callable[[dict[str, Any], dict[str, Any]], str]  # of a row, with its GPU


def in_words(found: dict[str, Any], by: By, *, markdown: bool, has_peaks: bool = True) -> str:
    """All GPUs, each with its table."""
    if not found["gpus"]:
        lost = (f"{each['name']} ({each['gpu_uuid']}): {each['failure']}" for each in found["lost"])
        return "\n".join([f"GPU memory is not known: {found['words']}", *lost])
    parts = ["# GPU memory"] if markdown else []
    for gpu in found["gpus"]:
        heading = f"{gpu['name']}, {gpu['gpu_uuid']}, driver {found['driver_version']}"
        parts.append(f"## {heading}" if markdown else heading)
        parts.append(" ".join(sentences(gpu, found["headroom_needed_bytes"])))
        columns = [c for c in _COLUMNS[by] if has_peaks or c.heading != "peak MiB"]
        rows = [[column.value(row, gpu) for column in columns] for row in _rows(gpu, by)]
        parts.append(_markdown(columns, rows) if markdown else _aligned(columns, rows))
    parts += [
        f"{each['name']} ({each['gpu_uuid']}) is LOST: {each['failure']}" for each in found["lost"]
    ]
    if by == "pod":
        parts.append(_PEAK if has_peaks else _NO_PEAK)
    parts.append(f"Sampled {_when(found['sampled_timestamp_seconds'])}.")
    return "\n\n".join(parts)


def sentences(gpu: dict[str, Any], needed_bytes: int) -> list[str]:
    """How much there is, how it is shared, and whether it is enough."""
    used, total = mebibytes(gpu["used_bytes"]), mebibytes(gpu["total_bytes"])
    low = f", LESS THAN THE {mebibytes(needed_bytes)} THAT THE NEXT PROCESS NEEDS"
    free = mebibytes(gpu["free_bytes"]) + (low if gpu["is_low"] else "")
    words = [f"{used} of {total} are used; head-room {free}."]
    replicas = gpu["replicas"]
    if replicas is None:
        words.append("Into how many replicas it is shared is not known (gpu.replicas).")
    elif replicas > 1:
        fair = mebibytes(gpu["fair_share_bytes"])
        words.append(
            f"Time-sliced into {replicas} replicas without isolation: a fair share is {fair}."
        )
    return words


def mebibytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / _MEBIBYTE:,.0f} MiB"


def holder_in_words(row: dict[str, Any]) -> str:
    """namespace/pod, a host's unit, or the uid of a pod without a name."""
    if row.get("rest"):
        return str(row["rest"])
    if row["pod"]:
        return f"{row['namespace']}/{row['pod']}"
    return f"host: {row['unit']}" if row["unit"] else f"pod {row['pod_uid']}"


def _rows(gpu: dict[str, Any], by: By) -> list[dict[str, Any]]:
    rows = list(gpu["holders"] if by == "pod" else gpu["processes"])
    rest = (
        ("(not attributed)", gpu["unattributed_bytes"]),
        ("(reserved by the driver)", gpu["reserved_bytes"]),
        ("(free)", gpu["free_bytes"]),
    )
    return [*rows, *({"rest": what, "used_bytes": count} for what, count in rest)]


def _number(count: int | None, unknown: str = "N/A") -> str:
    return unknown if count is None else f"{count / _MEBIBYTE:,.0f}"


def _used(row: dict[str, Any], _gpu: dict[str, Any]) -> str:
    if row.get("processes") == 0:
        return "-"  # it has let go of the GPU
    return _number(row["used_bytes"], "unknown" if row.get("rest") else "N/A")


def _peak(row: dict[str, Any], _gpu: dict[str, Any]) -> str:
    return "" if row.get("rest") or row.get("unit") else _number(row["peak_bytes"], "unknown")


def _of_total(row: dict[str, Any], gpu: dict[str, Any]) -> str:
    used = row["used_bytes"]
    return "" if used is None or not gpu["total_bytes"] else f"{used / gpu['total_bytes']:.0%}"


def _fair_shares(row: dict[str, Any], _gpu: dict[str, Any]) -> str:
    shares = row.get("fair_shares")
    return "" if shares is None else f"{shares:.1f}"


def _plain(key: str) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    return lambda row, _gpu: str(row.get(key) or "")


_HOLDER = _Column("holder", False, lambda row, _gpu: holder_in_words(row))
_CONTAINER = _Column("container", False, _plain("container"))
_NOW = _Column("now MiB", True, _used)
_SHARE = _Column("of total", True, _of_total)
_COLUMNS: dict[By, tuple[_Column, ...]] = {
    "pod": (
        _HOLDER,
        _CONTAINER,
        _NOW,
        _Column("peak MiB", True, _peak),
        _SHARE,
        _Column("fair shares", True, _fair_shares),
        _Column("processes", True, _plain("processes")),
    ),
    "process": (
        _Column("pid", True, _plain("pid")),
        _Column("process", False, _plain("process")),
        _HOLDER,
        _CONTAINER,
        _NOW,
        _SHARE,
    ),
}


def _aligned(columns: list[_Column], rows: list[list[str]]) -> str:
    cells = [[column.heading.upper() for column in columns], *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = (
        "  ".join(
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def _markdown(columns: list[_Column], rows: list[list[str]]) -> str:
    rule = ["---:" if column.is_number else "---" for column in columns]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [[column.heading for column in columns], rule, *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _when(timestamp_seconds: float | None) -> str:
    if timestamp_seconds is None:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(timestamp_seconds))
