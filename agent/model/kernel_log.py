"""What the kernel says of NICs: the classes of its messages that mean something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

KernelClass: TypeAlias = Literal[
    "gave_up",
    "probe_failed",
    "control_error",
    "interrupt_stopped",
    "tx_timeout",
    "transfer_error",
    "usb_connect",
    "usb_disconnect",
    "usb_reset",
    "usb_slow",
    "enumeration_error",
    "over_current",
    "link_power",
    "controller_died",
    "mac_lost",
    "offload_error",
    "driver_bound",
]
KERNEL_CLASSES: tuple[KernelClass, ...] = get_args(KernelClass)


@dataclass(frozen=True)
class KernelMessage:
    """Messages of one class about one subject, from one reading of the log."""

    message_class: KernelClass
    subject: str  # usb:2-1, pci:0000:00:14.0 or net:eth0
    count: int
    sequence: int  # of the last of them
    boottime_ns: int  # of the last of them
    text: str  # of the last of them


@dataclass(frozen=True)
class KernelSeen:
    """The latest message of a class about a NIC; which came later, the sequence decides."""

    sequence: int
    boottime_ns: int
    text: str
