"""One GPU as the sampler's process sees it: its memory, its processes, checked against /proc."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from agent.model.gpu import GpuProcess, GpuReading
from agent.observe import nvml
from agent.observe.nvml import NvmlFailed
from agent.observe.process import identity

LISTED_MAX = 3  # a process that ended between the list and /proc is not on the next one
SETTINGS_SECONDS = 60.0  # compute mode, persistence, accounting: people change them by hand
ACCOUNTED_SECONDS = 10.0  # a peak only rises; each is a call into the driver


class Inconsistent(Exception):
    """A sample that cannot be true, in words."""


@dataclass(frozen=True)
class _Settings:
    read_at: float
    compute_mode: int | None
    persistence: bool | None
    accounting: bool


class GpuDevice:
    """Reads one GPU again and again."""

    def __init__(self, handle: Any, lists: nvml.ProcessLists, memory: nvml.Memory) -> None:
        """NvmlFailed where it does not even say who it is."""
        self.handle = handle
        self.gpu_uuid = str(nvml.call("DeviceGetUUID", handle))
        self.name = str(nvml.call("DeviceGetName", handle))
        self._lists, self._memory = lists, memory
        self._settings: _Settings | None = None
        self._before: dict[int, tuple[int, str]] = {}  # pid: start, name
        self._peaks: dict[tuple[int, int], tuple[float, int]] = {}  # process: when read, bytes

    def read(self) -> GpuReading:
        """One moment. NvmlFailed; Inconsistent where it cannot be true."""
        settings = self._read_settings()
        listed, known = self._processes()
        # After the list: a process that came in between is then unattributed for a moment, where
        # the other order would have the processes hold more than is used.
        total, used, free, reserved = self._memory.read(self.handle)
        held = sum(each for each in listed.values() if each is not None)
        if held > total:
            raise Inconsistent(f"{self.gpu_uuid}: processes hold {held} of {total} bytes")
        ended = self._ended(known) if settings.accounting else ()
        processes = tuple(
            GpuProcess(pid, *known[pid], used_bytes, self._peak(pid, known[pid][0], settings))
            for pid, used_bytes in listed.items()
        )
        self._before = known
        return GpuReading(
            gpu_uuid=self.gpu_uuid,
            name=self.name,
            total_bytes=total,
            used_bytes=used,
            reserved_bytes=reserved,
            free_bytes=free,
            processes=processes,
            ended=ended,
            compute_mode=settings.compute_mode,
            persistence=settings.persistence,
            is_listed=self._lists.has_compute,
        )

    def _processes(self) -> tuple[dict[int, int | None], dict[int, tuple[int, str]]]:
        """Bytes, and identity, by pid. All of them exist: a wrong structure size has none."""
        unknown: list[int] = []
        for _ in range(LISTED_MAX):
            listed = self._lists.read(self.handle)
            found = {pid: identity(pid) for pid in listed}
            unknown = [pid for pid, known in found.items() if known is None]
            if not unknown:
                return listed, {pid: known for pid, known in found.items() if known is not None}
        pids = ", ".join(map(str, unknown[:3]))
        raise Inconsistent(f"{self.gpu_uuid}: NVML lists processes that do not exist ({pids})")

    def _ended(self, known: dict[int, tuple[int, str]]) -> tuple[GpuProcess, ...]:
        """What accounting says of processes that have let go of the GPU since the last time."""
        found = []
        for pid, (start, name) in self._before.items():
            if known.get(pid, (None,))[0] != start:
                self._peaks.pop((pid, start), None)
                # A pid that was used again already: accounting would tell of the newer one.
                peak = None if pid in known else self._accounted(pid)
                found.append(GpuProcess(pid, start, name, None, peak))
        return tuple(found)

    def _peak(self, pid: int, start: int, settings: _Settings) -> int | None:
        if not settings.accounting:
            return None
        now = time.monotonic()
        read_at, peak = self._peaks.get((pid, start), (-ACCOUNTED_SECONDS, 0))
        if now - read_at >= ACCOUNTED_SECONDS:
            peak = self._accounted(pid) or peak
            self._peaks[pid, start] = (now, peak)
        return peak or None

    def _accounted(self, pid: int) -> int | None:
        try:
            found = nvml.call("DeviceGetAccountingStats", self.handle, pid).maxMemoryUsage
        except NvmlFailed:
            return None  # not known to it: begun before accounting was switched on
        return None if found is None else int(found)

    def _read_settings(self) -> _Settings:
        now = time.monotonic()
        settings = self._settings
        if settings is None or now - settings.read_at >= SETTINGS_SECONDS:
            persistence = self._setting("PersistenceMode")
            settings = _Settings(
                read_at=now,
                compute_mode=self._setting("ComputeMode"),
                persistence=None if persistence is None else bool(persistence),
                accounting=self._setting("AccountingMode") == 1,  # read, never switched on
            )
            self._settings = settings
        return settings

    def _setting(self, name: str) -> int | None:
        try:
            return int(nvml.call(f"DeviceGet{name}", self.handle))
        except NvmlFailed as failed:
            if failed.code in nvml.LIFECYCLE | {nvml.MISMATCH}:
                raise
            return None
