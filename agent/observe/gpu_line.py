"""What the sampler's process writes: one JSON line for each report, read as strictly as written.

Lists and not agent/codec.py's objects: five hundred processes a second are to cost next to nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, get_args

from agent.model.gpu import (
    GpuProcess,
    GpuReading,
    GpuReport,
    GpuXid,
    RestartReason,
)

LINE_BYTES_MAX = 4 * 1024 * 1024
_REASONS = get_args(RestartReason)


class Garbage(ValueError):
    """A line that is none of these."""


@dataclass(frozen=True)
class Farewell:
    """The sampler's last line: why it ends by itself."""

    reason: RestartReason
    words: str


def to_line(said: GpuReport | Farewell) -> bytes:
    """One line, with its end."""
    if isinstance(said, Farewell):
        found: dict[str, Any] = {"end": said.reason, "words": said.words}
    else:
        found = {
            "driver": said.driver_version,
            "gpus": [_reading(reading) for reading in said.readings],
            "xids": [[xid.gpu_uuid, xid.xid] for xid in said.xids],
            "dropped": said.dropped,
        }
    return json.dumps(found, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> GpuReport | Farewell:
    """The same back. Garbage."""
    try:
        found = json.loads(line)
        if "end" in found:
            if found["end"] not in _REASONS:
                raise Garbage(f"it ended because of {found['end']!r}")
            return Farewell(found["end"], _text(found["words"]))
        return GpuReport(
            driver_version=_text(found["driver"]),
            readings=tuple(_read_reading(each) for each in found["gpus"]),
            xids=tuple(GpuXid(_text(uuid), _number(xid)) for uuid, xid in found["xids"]),
            dropped=_text(found["dropped"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Garbage(f"not a sample: {error}") from error


def _reading(reading: GpuReading) -> dict[str, Any]:
    return {
        "uuid": reading.gpu_uuid,
        "name": reading.name,
        "failure": reading.failure,
        "total": reading.total_bytes,
        "used": reading.used_bytes,
        "reserved": reading.reserved_bytes,
        "free": reading.free_bytes,
        "compute_mode": reading.compute_mode,
        "persistence": reading.persistence,
        "listed": reading.is_listed,
        "processes": [_process(each) for each in reading.processes],
        "ended": [_process(each) for each in reading.ended],
    }


def _process(process: GpuProcess) -> list[Any]:
    name = process.process
    return [process.pid, process.start_ticks, name, process.used_bytes, process.peak_bytes]


def _read_reading(found: dict[str, Any]) -> GpuReading:
    reading = GpuReading(_text(found["uuid"]), _text(found["name"]), _text(found["failure"]))
    return replace(
        reading,
        total_bytes=_number(found["total"]),
        used_bytes=_number(found["used"]),
        reserved_bytes=_maybe(found["reserved"]),
        free_bytes=_number(found["free"]),
        compute_mode=_maybe(found["compute_mode"]),
        persistence=None if found["persistence"] is None else _flag(found["persistence"]),
        is_listed=_flag(found["listed"]),
        processes=tuple(_read_process(*each) for each in found["processes"]),
        ended=tuple(_read_process(*each) for each in found["ended"]),
    )


def _read_process(pid: Any, start: Any, name: Any, used: Any, peak: Any) -> GpuProcess:
    return GpuProcess(_number(pid), _number(start), _text(name), _maybe(used), _maybe(peak))


def _number(found: Any) -> int:
    if type(found) is not int or found < 0:
        raise Garbage(f"expected a count, found {found!r}")
    return found


def _maybe(found: Any) -> int | None:
    return None if found is None else _number(found)


def _flag(found: Any) -> bool:
    if type(found) is not bool:
        raise Garbage(f"expected yes or no, found {found!r}")
    return found


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise Garbage(f"expected a text, found {found!r}")
    return found
