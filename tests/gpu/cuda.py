"""`python3 -m tests.gpu.cuda`: a CUDA process that does as it is told, by ctypes on libcuda.

Lines on standard input: `hold MIB` takes so much more, `fault` writes where nothing is, `end`. Each
is answered with a line: `ok`, or the name of CUDA's error. After an error of `hold` it ends, as a
program does that catches nothing.
"""

from __future__ import annotations

import ctypes
import sys

MIB = 1024 * 1024
# Writes to address 16: a page fault of the GPU's MMU, Xid 31.
FAULTY = b"""
.version 6.3
.target sm_75
.address_size 64
.visible .entry faulty() {
    .reg .b64 %where;
    .reg .b32 %what;
    mov.u64 %where, 16;
    mov.u32 %what, 1;
    st.global.u32 [%where], %what;
    ret;
}
"""


class Failed(Exception):
    """CUDA's name of the error."""


class Cuda:
    """One context on the first device."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)

    def hold(self, mib: int) -> None:
        where = ctypes.c_void_p()
        if mib:
            self._call("cuMemAlloc_v2", ctypes.byref(where), ctypes.c_size_t(mib * MIB))

    def fault(self) -> None:
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(FAULTY))
        self._call("cuModuleGetFunction", ctypes.byref(function), module, b"faulty")
        grid = [ctypes.c_uint(1)] * 6
        self._call("cuLaunchKernel", function, *grid, ctypes.c_uint(0), None, None, None)
        self._call("cuCtxSynchronize")

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            words = ctypes.c_char_p()
            self._library.cuGetErrorName(code, ctypes.byref(words))
            raise Failed((words.value or b"error").decode() + f" in {name}")


def main() -> int:
    """Until told to end, or CUDA fails."""
    try:
        cuda = Cuda()
        print("ok", flush=True)
        for line in sys.stdin:
            order, _, argument = line.strip().partition(" ")
            if order == "end":
                return 0
            if order == "fault":
                cuda.fault()
            else:
                cuda.hold(int(argument))
            print("ok", flush=True)
    except (Failed, OSError) as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
