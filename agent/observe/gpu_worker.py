"""The sampler's process: one JSON line for each sample, on standard output.

`python -m agent.observe.gpu_worker --interval-ms 1000`. NVML is loaded here and nowhere else: it
may hang in the kernel, crash, or belong to a driver that was replaced, and the daemon only sees a
process that says nothing more. It waits in NVML's own wait for events, so that an Xid is told at
once and costs no thread. When nobody reads its lines any more it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from agent.model.gpu import GpuReading, GpuReport, GpuXid, RestartReason
from agent.observe import nvml
from agent.observe.gpu_device import GpuDevice, Inconsistent
from agent.observe.gpu_library import find_library
from agent.observe.gpu_line import Farewell, to_line
from agent.observe.nvml import NvmlFailed

REOPEN_SECONDS = 30.0  # between attempts to open a GPU, or the events, that failed
XIDS_MAX = 64  # of one report; more at once is a storm, and the rest comes with the next ones
_MILLISECOND = 1e-3


class Ended(Exception):
    """Nothing more can be sampled by this process."""

    def __init__(self, reason: RestartReason, words: str) -> None:
        super().__init__(words)
        self.farewell = Farewell(reason, words)


class Gpus:
    """All of them."""

    def __init__(self) -> None:
        """NVML is open. Ended, NvmlFailed."""
        self._driver_version = str(nvml.call("SystemGetDriverVersion"))
        self._lists, self._memory = nvml.ProcessLists(), nvml.Memory()
        self._devices: list[GpuDevice | NvmlFailed] = []
        self._events: Any = None
        self._opened_at = 0.0
        self._open()

    def report(self, xids: tuple[GpuXid, ...]) -> GpuReport:
        """One sample, or why there is none. Ended."""
        is_ill = self._events is None or any(isinstance(d, NvmlFailed) for d in self._devices)
        if is_ill and time.monotonic() - self._opened_at >= REOPEN_SECONDS:
            self._open()
        try:
            readings = tuple(self._read(index) for index in range(len(self._devices)))
        except Inconsistent as untrue:
            return GpuReport(self._driver_version, (), xids, str(untrue))
        except NvmlFailed as failed:
            if failed.code == nvml.MISMATCH:
                raise
            return GpuReport(self._driver_version, (), xids, str(failed))  # for this moment
        if all(reading.failure for reading in readings):
            words = "; ".join(dict.fromkeys(reading.failure for reading in readings))
            raise Ended("gpu_lost" if readings else "no_driver", words or "NVML lists no GPU")
        return GpuReport(self._driver_version, readings, xids)

    def wait(self, seconds: float) -> list[GpuXid]:
        """Until the time is over; the faults that were told meanwhile."""
        found: list[GpuXid] = []
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > _MILLISECOND and len(found) < XIDS_MAX:
            if self._events is None:
                time.sleep(left)  # noqa: TID251  there is nothing to wait for
                continue
            try:
                event = nvml.call("EventSetWait_v2", self._events, int(left / _MILLISECOND))
            except NvmlFailed as failed:
                if failed.code == nvml.MISMATCH:
                    raise
                if failed.code != nvml.TIMEOUT:
                    self._events = None  # or it would be asked again and again at once
                continue
            if event.eventType == nvml.XID_EVENT:
                found.append(GpuXid(self._uuid_of(event.device), int(event.eventData)))
        return found

    def _open(self) -> None:
        self._opened_at = time.monotonic()
        self._devices = [self._device(handle) for handle in nvml.devices()]
        self._events = None
        with contextlib.suppress(NvmlFailed):
            events = nvml.call("EventSetCreate")
            handles = [d.handle for d in self._devices if isinstance(d, GpuDevice)]
            for handle in handles:
                types = nvml.call("DeviceGetSupportedEventTypes", handle)
                if types & nvml.XID_EVENT:
                    nvml.call("DeviceRegisterEvents", handle, nvml.XID_EVENT, events)
            self._events = events

    def _device(self, handle: Any) -> GpuDevice | NvmlFailed:
        try:
            return handle if isinstance(handle, NvmlFailed) else self._known(handle)
        except NvmlFailed as failed:
            return failed

    def _known(self, handle: Any) -> GpuDevice:
        """The same object for the same GPU: it remembers its processes."""
        device = GpuDevice(handle, self._lists, self._memory)
        former = (d for d in self._devices if isinstance(d, GpuDevice))
        return next((d for d in former if d.gpu_uuid == device.gpu_uuid), device)

    def _read(self, index: int) -> GpuReading:
        device = self._devices[index]
        if isinstance(device, NvmlFailed):
            return GpuReading("", failure=str(device))
        try:
            return device.read()
        except NvmlFailed as failed:
            if failed.code not in nvml.LIFECYCLE:
                raise
            return GpuReading(device.gpu_uuid, device.name, str(failed))

    def _uuid_of(self, handle: Any) -> str:
        address = nvml.address(handle)
        devices = (d for d in self._devices if isinstance(d, GpuDevice))
        return next((d.gpu_uuid for d in devices if nvml.address(d.handle) == address), "")


def main(arguments: list[str]) -> int:
    """Sample until nobody reads, or nothing can be sampled."""
    parser = argparse.ArgumentParser(prog="python -m agent.observe.gpu_worker")
    parser.add_argument("--interval-ms", type=int, default=1000, help="from sample to sample")
    parser.add_argument("--once", action="store_true", help="one sample, then the end")
    parser.add_argument("--library", type=Path, help="libnvidia-ml.so.1; default: found")
    options = parser.parse_args(arguments)
    try:
        _sample(options.interval_ms * _MILLISECOND, options.library, once=options.once)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _sample(interval_seconds: float, library: Path | None, *, once: bool) -> None:
    xids: list[GpuXid] = []
    try:
        nvml.initialise(library or find_library())
        gpus = Gpus()
        while True:
            began = time.monotonic()
            _say(to_line(gpus.report(tuple(xids))))
            if once:
                return
            xids = gpus.wait(max(0.0, began + interval_seconds - time.monotonic()))
    except Ended as ended:
        _say(to_line(ended.farewell))
    except NvmlFailed as failed:
        _say(to_line(Farewell(_reason(failed), str(failed))))


def _reason(failed: NvmlFailed) -> RestartReason:
    if failed.code == nvml.MISMATCH:
        return "driver_replaced"
    if failed.code in (nvml.DRIVER_NOT_LOADED, nvml.LIBRARY_NOT_FOUND):
        return "no_driver"
    return "gpu_lost" if failed.code in nvml.LIFECYCLE else "crash"


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
