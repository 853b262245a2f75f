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
PORT_SECONDS_MAX = 10.0

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

    def __init__(self, *, superspeed: bool, submit: Callable[[Bus, Urb], None]) -> None:
        self._submit = submit
        self._lock = threading.Lock()
        self._pending: dict[int, Urb] = {}
        self.closed = threading.Event()
        self._socket, theirs = socket.socketpair()
        hub, speed = _SPEED_CODES[superspeed]
        with theirs:
            self._port = _free_port(hub)
            attach = f"{self._port} {theirs.fileno()} {_DEVICE_ID} {speed}"
            (_VHCI / "attach").write_text(attach)
        threading.Thread(target=self._serve, name="bus", daemon=True).start()

    def complete(self, urb: Urb, status: int = 0, data: bytes = b"", actual: int = 0) -> bool:
        """Return a pending URB to the host; False where it was taken back or the plug pulled."""
        with self._lock:
            if self._pending.pop(urb.sequence, None) is None:
                return False
            length = len(data) if urb.inbound else actual
            header = struct.pack(">IIIII", _RETURN_SUBMIT, urb.sequence, 0, 0, 0)
            header += struct.pack(">iIIII", status, length, 0, 0, 0) + b"\0" * 8
            with contextlib.suppress(OSError):
                self._socket.sendall(header + (data if urb.inbound else b""))
                return True
        return False

    def is_pending(self, urb: Urb) -> bool:
        with self._lock:
            return urb.sequence in self._pending

    def detach(self) -> None:
        """Pull the plug; the kernel takes every pending URB with it."""
        _detach(self._port)
        self._close()
        _wait_until_gone()

    def _serve(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while not self.closed.is_set():
                self._one_message()
        self._close()

    def _one_message(self) -> None:
        header = self._receive(_HEADER_BYTES)
        kind, sequence, _device, inbound, endpoint = struct.unpack_from(">IIIII", header)
        if kind == _SUBMIT:
            _flags, length = struct.unpack_from(">Ii", header, 20)
            data = self._receive(length) if not inbound and length else b""
            urb = Urb(sequence, endpoint, bool(inbound), length, header[40:48], data)
            with self._lock:
                self._pending[sequence] = urb
            self._submit(self, urb)
        elif kind == _UNLINK:
            (unwanted,) = struct.unpack_from(">I", header, 20)
            with self._lock:
                found = self._pending.pop(unwanted, None)
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
            self._socket.close()


def detach_leftovers() -> None:
    """Free the ports that an emulator which was killed left behind, and wait until they are."""
    deadline = time.monotonic() + PORT_SECONDS_MAX
    while used := [port for port, _hub, state in _ports() if state != _FREE]:
        for port in used:
            with contextlib.suppress(OSError):
                _detach(port)
        if time.monotonic() > deadline:
            raise TimeoutError(f"ports {used} of vhci_hcd do not become free")
        time.sleep(0.1)
    _wait_until_gone()


def _wait_until_gone() -> None:
    """Until the hub's worker has removed the device: a port is free before that.

    Plugged in too early, the new interface finds its name taken by the old one and stays eth0.
    """
    deadline = time.monotonic() + PORT_SECONDS_MAX
    while left := [p.name for p in _VHCI.glob("usb*/*-*") if ":" not in p.name]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the kernel does not let go of USB device {left[0]}")
        time.sleep(0.05)


def _detach(port: int) -> None:
    (_VHCI / "detach").write_text(str(port))


def _free_port(hub: str) -> int:
    """The first free port of that speed; one just unplugged needs a moment."""
    deadline = time.monotonic() + PORT_SECONDS_MAX
    while time.monotonic() < deadline:
        for port, speed, state in _ports():
            if speed == hub and state == _FREE:
                return port
        time.sleep(0.05)
    raise TimeoutError(f"no free {hub} port of vhci_hcd")


def _ports() -> list[tuple[int, str, str]]:
    rows = [line.split() for line in (_VHCI / "status").read_text().splitlines()[1:]]
    return [(int(row[1]), row[0], row[2]) for row in rows if row]
