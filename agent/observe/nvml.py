"""NVML, by way of pynvml, and around what its bindings get wrong.

The lists of processes are read through the library's own functions with a buffer that is large
enough from the start: pynvml asks twice, and fails where a process comes in between. The size of
an entry is found out as nvitop does it (its PRs 89 and 94), since drivers 535.43 to 535.86 write
32 bytes where all others write 24, under one name and without a word.

Only the sampler's process imports this: NVML may hang, crash, or hold a driver.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pynvml

GPUS_MAX = 64
ENTRIES_MAX = 4096  # the driver itself tells of 950 (NV2080_CTRL_GPU_GET_PIDS_MAX_COUNT)
_ENTRIES_FIRST = 128
_ASKED_MAX = 6
_NOT_AVAILABLE = 2**64 - 1
_LISTS = ("Compute", "Graphics", "MPSCompute")

# nvmlProcessInfo_v1_t, _v2_t, and what 535.43 to 535.86 make of _v3.
_ENTRY_V1 = struct.Struct("=I4xQ")
_ENTRY_V2 = struct.Struct("=I4xQII")
_ENTRY_V3_535 = struct.Struct("=I4xQII8x")
_NO_INSTANCE = 0xFFFFFFFF

# Will not be otherwise until the driver is: NOT_SUPPORTED, FUNCTION_NOT_FOUND,
# ARGUMENT_VERSION_MISMATCH, DEPRECATED.
UNSUPPORTED = frozenset({3, 13, 25, 26})
# The GPU or the driver went: UNINITIALIZED, DRIVER_NOT_LOADED, GPU_IS_LOST, RESET_REQUIRED,
# GPU_NOT_FOUND.
LIFECYCLE = frozenset({1, 9, 15, 16, 28})
LIBRARY_NOT_FOUND, DRIVER_NOT_LOADED, MISMATCH, UNKNOWN, TIMEOUT = 12, 9, 18, 999, 10
INSUFFICIENT_SIZE = 7

XID_EVENT = 0x8  # nvmlEventTypeXidCriticalError


class NvmlFailed(Exception):
    """A call failed: NVML's code, and its words."""

    def __init__(self, code: int, call: str) -> None:
        """`call` is the function, without nvml in front."""
        super().__init__(f"{call}: {_words(code)} (NVML error {code})")
        self.code = code


def _words(code: int) -> str:
    try:
        return str(pynvml.nvmlErrorString(code)).rstrip(".")
    except Exception:  # noqa: BLE001  before the library is loaded there are no words
        return "error"


def call(name: str, *arguments: Any, **options: Any) -> Any:
    """pynvml's function of this name, all of whose failures are NvmlFailed."""
    function: Callable[..., Any] = getattr(pynvml, f"nvml{name}")
    try:
        return function(*arguments, **options)
    except pynvml.NVMLError as error:
        raise NvmlFailed(int(error.value), name) from error
    except Exception as error:
        # From 12.550 to 12.575 a missing symbol is an NVMLLibraryMismatchError, which is no
        # NVMLError.
        if type(error).__name__ != "NVMLLibraryMismatchError":
            raise
        raise NvmlFailed(13, name) from error


def initialise(library: Path | None) -> None:
    """Load and open NVML, once for the life of this process. NvmlFailed."""
    if library is not None:
        # pynvml asks for the library by name: the linker then gives it the one that is loaded.
        try:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        except OSError:
            raise NvmlFailed(LIBRARY_NOT_FOUND, "Init") from None
    call("Init")


def devices() -> list[Any]:
    """A handle for each GPU, or the NvmlFailed that came in place of one. NvmlFailed."""
    return [_handle(index) for index in range(min(call("DeviceGetCount"), GPUS_MAX))]


def _handle(index: int) -> Any:
    try:
        return call("DeviceGetHandleByIndex", index)
    except NvmlFailed as failed:
        return failed


def address(handle: Any) -> int:
    """What tells one device's handle from another's."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


class Memory:
    """Total, free, used and reserved; by the older call where there is no newer one."""

    def __init__(self) -> None:
        """The newer one is tried first."""
        self._has_v2 = True

    def read(self, handle: Any) -> tuple[int, int, int, int | None]:
        """Total, used, free, reserved, in bytes. NvmlFailed.

        The older call counts what is reserved as used, and says nothing of it: reserved is None.
        """
        if self._has_v2:
            try:
                found = call("DeviceGetMemoryInfo", handle, version=pynvml.nvmlMemory_v2)
            except NvmlFailed as failed:
                if failed.code not in UNSUPPORTED | {UNKNOWN}:  # WSL says UNKNOWN
                    raise
                self._has_v2 = False
            else:
                return found.total, found.used, found.free, found.reserved
        found = call("DeviceGetMemoryInfo", handle)
        return found.total, found.used, found.free, None


class ProcessLists:
    """The compute, graphics and MPS processes of a device, each process once."""

    def __init__(self) -> None:
        """Find out which functions there are, and how large an entry is."""
        self._lists = {kind: found for kind in _LISTS if (found := _function(kind))}
        self._room = _ENTRIES_FIRST

    @property
    def has_compute(self) -> bool:
        """Whether the driver tells its compute processes at all."""
        return "Compute" in self._lists

    def read(self, handle: Any) -> dict[int, int | None]:
        """Bytes by pid; None where NVML says N/A. NvmlFailed.

        A process may be on two lists, where each has all that it holds: the larger counts. With MIG
        it may be on one list several times, by instance: these add up.
        """
        instances: dict[tuple[int, int, int], int | None] = {}
        for kind in tuple(self._lists):
            for pid, used, *instance in self._entries(handle, kind):
                key = (pid, *(instance or (_NO_INSTANCE, _NO_INSTANCE)))
                bytes_found = None if used == _NOT_AVAILABLE else used
                instances[key] = _larger(instances.get(key), bytes_found)
        found: dict[int, int | None] = {}
        for (pid, _, _), used_bytes in instances.items():
            if pid in found:
                before = found[pid]
                known = before is not None and used_bytes is not None
                found[pid] = before + used_bytes if known else None  # type: ignore[operator]
            else:
                found[pid] = used_bytes
        return found

    def _entries(self, handle: Any, kind: str) -> Iterator[tuple[int, ...]]:
        function, entry = self._lists[kind]
        for _ in range(_ASKED_MAX):
            buffer = ctypes.create_string_buffer(self._room * entry.size)
            count = ctypes.c_uint(self._room)
            code = function(handle, ctypes.byref(count), buffer)
            if code == 0:
                return entry.iter_unpack(memoryview(buffer)[: count.value * entry.size])
            if code in UNSUPPORTED:
                del self._lists[kind]
                return iter(())
            if code != INSUFFICIENT_SIZE or self._room >= ENTRIES_MAX:
                raise NvmlFailed(code, f"DeviceGet{kind}RunningProcesses")
            self._room = min(ENTRIES_MAX, max(2 * self._room, count.value + 32))
        raise NvmlFailed(INSUFFICIENT_SIZE, f"DeviceGet{kind}RunningProcesses")


def _larger(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _function(kind: str) -> tuple[Callable[..., int], struct.Struct] | None:
    name = f"nvmlDeviceGet{kind}RunningProcesses"
    for suffix, entry in (("_v3", _entry_v3()), ("_v2", _ENTRY_V2), ("", _ENTRY_V1)):
        function = getattr(pynvml.nvmlLib, name + suffix, None)
        if function is not None:
            return function, entry
    return None


def _entry_v3() -> struct.Struct:
    has_confidential = hasattr(pynvml.nvmlLib, "nvmlDeviceGetConfComputeMemSizeInfo")
    has_details = hasattr(pynvml.nvmlLib, "nvmlDeviceGetRunningProcessDetailList")
    return _ENTRY_V3_535 if has_confidential and not has_details else _ENTRY_V2
