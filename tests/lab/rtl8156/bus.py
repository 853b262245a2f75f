"""A port of the kernel's virtual host controller, and the URBs that come over it.

The kernel is handed one end of a socket pair (drivers/usb/usbip/vhci_sysfs.c, attach) and speaks
USB/IP over it; no usbip tool, no TCP, no handshake.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

EPROTO, EPIPE, ECONNRESET = 71, 32, 104
# A driver whose control transfers hang lets go only after the kernel's 5 s for each of several.
PORT_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05

_VHCI = Path("/sys/devices/platform/vhci_hcd.0")
_FREE = "004"  # VDEV_ST_NULL
_SPEED_CODES = {True: ("ss", 5), False: ("hs", 3)}  # USB_SPEED_SUPER, USB_SPEED_HIGH
_SUBMIT, _UNLINK, _RETURN_SUBMIT, _RETURN_UNLINK = 1, 2, 3, 4
_HEADER_BYTES = 48
_DEVICE_ID = 0x10001


@dataclass(frozen=True)
class Urb:
    """One request of the host. `data` is what it sends; `length` what it sends or has room for."""

    sequence: int
    endpoint: int
    inbound: bool
    length: int
    setup: bytes
    data: bytes


class Bus:
    """One attachment, from plug to unplug. URBs not completed at once stay pending."""

    def __init__(self, *, superspeed: bool, port: int = 0) -> None:
        """`port` counts the ports of that speed from 0; it is the plug on the machine's back."""
        self._lock = threading.Condition()  # told of every change of what is pending
        self._pending: dict[int, Urb] = {}
        self._heard_at = time.monotonic()
        self.silence_seconds = 0.0  # from the message before to the one that is being answered
        self.closed = threading.Event()
        hub, speed = _SPEED_CODES[superspeed]
        _wait_until_gone()
        self._port = _free_port(hub, port)
        self._socket, theirs = socket.socketpair()
        with theirs:  # the kernel keeps it open by itself
            (_VHCI / "attach").write_text(f"{self._port} {theirs.fileno()} {_DEVICE_ID} {speed}")

    def serve(self, submit: Callable[[Urb], None]) -> None:
        """Hand every URB to `submit`, in a thread of its own, until the plug is pulled."""
        threading.Thread(target=self._serve, args=(submit,), name="bus", daemon=True).start()

    def complete(self, urb: Urb, status: int = 0, data: bytes = b"", actual: int = 0) -> bool:
        """Return a pending URB to the host; False where it was taken back or the plug pulled."""
        with self._lock:
            if self._pending.pop(urb.sequence, None) is None:
                return False
            self._lock.notify_all()
            length = len(data) if urb.inbound else actual
            header = struct.pack(">IIIII", _RETURN_SUBMIT, urb.sequence, 0, 0, 0)
            header += struct.pack(">iIIII", status, length, 0, 0, 0) + b"\0" * 8
            with contextlib.suppress(OSError):
                self._socket.sendall(header + (data if urb.inbound else b""))
                return True
        return False

    def wait_until_pending(self, endpoint: int, *, expected: bool, seconds_max: float) -> bool:
        """Until the host has, or has no, inbound URB at an endpoint; False where it took longer."""

        def is_so() -> bool:
            pending = any(
                urb.inbound and urb.endpoint == endpoint for urb in self._pending.values()
            )
            return pending == expected

        with self._lock:
            return self._lock.wait_for(is_so, seconds_max)

    def detach(self) -> None:
        """Pull the plug; the kernel takes every pending URB with it."""
        if not self.closed.is_set():
            _detach(self._port)
        self._close()

    def _serve(self, submit: Callable[[Urb], None]) -> None:
        try:
            with contextlib.suppress(EOFError, OSError):
                while not self.closed.is_set():
                    self._one_message(submit)
        finally:
            self._close()

    def _one_message(self, submit: Callable[[Urb], None]) -> None:
        header = self._receive(_HEADER_BYTES)
        now = time.monotonic()
        self.silence_seconds, self._heard_at = now - self._heard_at, now
        kind, sequence, _device, inbound, endpoint = struct.unpack_from(">IIIII", header)
        if kind == _SUBMIT:
            _flags, length = struct.unpack_from(">Ii", header, 20)
            data = self._receive(length) if not inbound and length else b""
            urb = Urb(sequence, endpoint, bool(inbound), length, header[40:48], data)
            with self._lock:
                self._pending[sequence] = urb
                self._lock.notify_all()
            submit(urb)
        elif kind == _UNLINK:
            (unwanted,) = struct.unpack_from(">I", header, 20)
            with self._lock:
                found = self._pending.pop(unwanted, None)
                self._lock.notify_all()
                status = -ECONNRESET if found else 0
                answer = struct.pack(">IIIIIi", _RETURN_UNLINK, sequence, 0, 0, 0, status)
                self._socket.sendall(answer + b"\0" * 24)

    def _receive(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            chunk = self._socket.recv(length - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    def _close(self) -> None:
        self.closed.set()
        with self._lock:
            self._pending.clear()
            self._lock.notify_all()
            self._socket.close()


def detach_leftovers() -> None:
    """Pull the plug of every adapter that an emulator which was killed left behind."""
    for port, _hub, state in _ports():
        if state != _FREE:
            with contextlib.suppress(OSError):  # the kernel may be at it by itself
                _detach(port)


def _detach(port: int) -> None:
    (_VHCI / "detach").write_text(str(port))


def _wait_until_gone() -> None:
    """Until the hub's worker has removed the device before: its port is free earlier than that.

    Plugged in too early, the new interface finds its name taken by the old one and stays eth0.
    """
    deadline = time.monotonic() + PORT_SECONDS_MAX
    while left := [path.name for path in _VHCI.glob("usb*/*-*") if ":" not in path.name]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the kernel does not let go of USB device {left[0]}")
        time.sleep(POLL_SECONDS)


def _free_port(hub: str, index: int) -> int:
    """The port of that speed, once it is free: one just unplugged needs a moment."""
    deadline = time.monotonic() + PORT_SECONDS_MAX
    while True:
        port, state = [(port, state) for port, speed, state in _ports() if speed == hub][index]
        if state == _FREE:
            return port
        if time.monotonic() > deadline:
            raise TimeoutError(f"port {port} ({hub}) of vhci_hcd does not become free")
        time.sleep(POLL_SECONDS)


def _ports() -> list[tuple[int, str, str]]:
    """Number, hub and state of each port (vhci_sysfs.c, status_show)."""
    rows = [line.split() for line in (_VHCI / "status").read_text().splitlines()[1:]]
    return [(int(row[1]), row[0], row[2]) for row in rows if row]
