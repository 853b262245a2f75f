"""A stand-in for /dev/kmsg: a ring of records, and its reader's clocks."""

from __future__ import annotations

import errno
import os
from collections import deque
from pathlib import Path

import pytest

from agent.model.facts import KernelLogRead
from agent.model.identity import Stamp
from agent.model.kernel_log import KernelMessage
from agent.observe import clock, kernel_log
from agent.observe.kernel_log import KernelLog

SECOND_NS = 1_000_000_000
SUSPENDED_SECONDS = 7.0  # CLOCK_BOOTTIME counts them, the kernel's stamps do not
PROPERTIES = " SUBSYSTEM=usb\n DEVICE=+usb:4-1\n"


class Kmsg:
    """Stands for /dev/kmsg, of which each read gives one record, and for the clocks.

    It takes the place of `os` and of `time` in the module.
    """

    O_RDONLY, O_NONBLOCK, O_CLOEXEC = os.O_RDONLY, os.O_NONBLOCK, os.O_CLOEXEC

    def __init__(self, monkeypatch: pytest.MonkeyPatch, records_max: int = 10_000) -> None:
        self.seconds = 1000.0
        self.next_sequence = 0
        self.fault: OSError | None = None
        self.closed: list[int] = []
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=records_max)
        self._position = 0
        monkeypatch.setattr(kernel_log, "os", self)
        monkeypatch.setattr(kernel_log, "time", self)
        monkeypatch.setattr(clock, "now", self.stamp)
        self.log = KernelLog()

    def write(self, *lines: str, seconds: float = 0.0) -> None:
        for line in lines:
            head = f"6,{self.next_sequence},{round(seconds * 1e6)},-;"
            self.write_raw(f"{head}{line}\n{PROPERTIES}".encode())

    def write_raw(self, record: bytes) -> None:
        self._ring.append((self.next_sequence, record))
        self.next_sequence += 1

    def stamp(self) -> Stamp:
        return Stamp(self.monotonic_ns() + round(SUSPENDED_SECONDS * SECOND_NS), 0)

    def told(self) -> KernelLogRead | None:
        """Rest as long as is asked for, then read."""
        self.seconds += self.log.rest_seconds()
        facts = self.log.read()
        assert len(facts) <= 1
        return facts[0] if facts else None

    def messages(self) -> tuple[KernelMessage, ...]:
        told = self.told()
        return told.messages if told else ()

    def monotonic(self) -> float:
        return self.seconds

    def monotonic_ns(self) -> int:
        return round(self.seconds * SECOND_NS)

    def open(self, _path: Path, flags: int) -> int:
        assert flags & os.O_NONBLOCK
        self._position = self._ring[0][0] if self._ring else 0  # a reader begins with the oldest
        return 9

    def close(self, descriptor: int) -> None:
        self.closed.append(descriptor)

    def read(self, descriptor: int, size: int) -> bytes:
        assert 9 == descriptor
        if self.fault is not None:
            raise self.fault
        if self._position >= self.next_sequence:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        oldest = self._ring[0][0]
        if self._position < oldest:
            self._position = oldest
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        record = self._ring[self._position - oldest][1]
        self._position += 1
        if len(record) > size:
            raise OSError(errno.EINVAL, "Invalid argument")
        return record
