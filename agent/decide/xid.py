"""What NVIDIA's Xid codes mean, and whether a program or the hardware is at fault.

From NVIDIA's "XID Errors" (docs.nvidia.com/deploy/xid-errors). Those of a program are what
k8s-device-plugin ignores, too (internal/rm/health.go): a GPU that has them is well.
"""

from __future__ import annotations

from collections.abc import Mapping

PROGRAM_XIDS = frozenset({13, 31, 43, 45, 68, 109})

MEANINGS: Mapping[int, str] = {
    13: "a graphics engine exception: mostly an illegal access by a program",
    31: "a memory page fault: an illegal address of a program",
    32: "an invalid or corrupted push buffer stream",
    38: "a driver firmware error",
    43: "a program's channel was reset after a fault of its own",
    45: "a program was ended by force while it used the GPU",
    48: "a double bit ECC error",
    56: "a display engine error",
    61: "an internal microcontroller breakpoint",
    62: "an internal microcontroller halt",
    63: "a page or row was retired or remapped after ECC errors",
    64: "a page or row could not be retired or remapped",
    68: "a video processor exception of a program",
    69: "a graphics engine class error",
    74: "an NVLink error",
    79: "the GPU has fallen off the bus",
    92: "many single bit ECC errors",
    94: "a contained ECC error: only the program that met it is affected",
    95: "an uncontained ECC error: reset the GPU",
    109: "a program's context switch timed out",
    119: "the GPU's system processor (GSP) did not answer",
    120: "the GPU's system processor (GSP) failed",
    140: "an unrecovered ECC error",
    154: "the GPU needs a reset or a reboot to recover",
}


def meaning(xid: int) -> str:
    return MEANINGS.get(xid, "see NVIDIA's list of Xid errors")
