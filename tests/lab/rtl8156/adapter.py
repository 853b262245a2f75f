"""The adapter: USB requests in, register reads, frames and link reports out, faults in between."""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from typing import Any

from tests.lab.rtl8156 import descriptors, frames
from tests.lab.rtl8156.bus import EPIPE, EPROTO, Bus, Urb
from tests.lab.rtl8156.descriptors import EP_INTERRUPT, EP_RECEIVE, EP_TRANSMIT, NCM, REALTEK
from tests.lab.rtl8156.registers import PLA, USB, Registers
from tests.lab.rtl8156.truth import Truth

# A real adapter reports every few milliseconds; under emulation that would be most of the load.
REPORT_SECONDS = 0.15
REPORT_SECONDS_MAX = 3.0

Reply = tuple[int, bytes]  # status, data


class Adapter:
    """One RTL8156B, plugged in or not. `lock` guards all of it."""

    def __init__(self, tap: frames.Tap | None) -> None:
        self.truth = Truth()
        self._tap = tap
        self._lock = threading.RLock()
        self._reported = threading.Condition(self._lock)
        self._registers = Registers()
        self._settings = {"tx": "ok", "ctl": "ok", "interrupt": "ok", "data": "ok"}
        self._superspeed = True
        self._configuration = 0
        self._bus: Bus | None = None
        self._receiving: deque[Urb] = deque()
        self._link_reported: bool | None = None
        self._notifications = 0
        if tap is not None:
            threading.Thread(target=self._pump, args=(tap,), name="tap", daemon=True).start()

    def set(self, setting: str, value: str | int | bool) -> dict[str, Any]:
        """Bring a fault about; the answer says when it took effect."""
        if setting == "plug":
            return self._plug("out" if value == "out" else str(value))
        with self._lock:
            if setting == "link":
                self._registers.link = bool(value)
                if value == self._link_reported:  # the change before this one never got out
                    return {**self.truth.note(f"link {value}, nothing new"), "reported": False}
                return self._wait_for_report(bool(value))
            if setting == "speed":
                self._registers.speed = int(value)
            else:
                self._settings[setting] = str(value)
            return self.truth.note(f"{setting} {value}")

    # --- plug and unplug ---------------------------------------------------------------------

    def _plug(self, speed: str) -> dict[str, Any]:
        with self._lock:
            bus, self._bus = self._bus, None
        if bus is not None:
            note = self.truth.note("unplug")
            bus.detach()
            self.truth.counters["unplugs"] += 1
            if speed == "out":
                return note
        elif speed == "out":
            raise ValueError("it is not plugged in")
        with self._lock:
            # A freshly plugged adapter has forgotten every fault, as a power cycle makes it.
            self._registers = Registers()
            self._settings = dict.fromkeys(self._settings, "ok")
            self._superspeed = speed == "ss"
            self._configuration = 0
            self._link_reported = None
            self._receiving.clear()
            note = self.truth.note(f"plug {speed}")
            self._bus = Bus(superspeed=self._superspeed, submit=self._submit)
            self.truth.counters["plugs"] += 1
        return note

    # --- what the host asks ------------------------------------------------------------------

    def _submit(self, bus: Bus, urb: Urb) -> None:
        """Called by the bus's thread for each URB."""
        if urb.endpoint == EP_INTERRUPT:
            # One thread each, ended by the report or the unplug; r8152 has one such URB at a time.
            threading.Thread(target=self._report, args=(bus, urb), daemon=True).start()
            return
        with self._lock:
            if urb.endpoint == 0:
                self._control(bus, urb)
            elif urb.endpoint == EP_TRANSMIT and not urb.inbound:
                self._transmit(bus, urb)
            elif urb.endpoint == EP_RECEIVE and urb.inbound:
                self._receiving.append(urb)
            else:
                bus.complete(urb, -EPIPE)

    def _control(self, bus: Bus, urb: Urb) -> None:
        kind, request, value, index, length = struct.unpack("<BBHHH", urb.setup)
        if kind in (0xC0, 0x40) and request == 5:  # Realtek's own: registers
            mode = self._settings["ctl"]
            if mode == "hang":
                return  # until the host takes it back
            if mode == "fail":
                bus.complete(urb, -EPIPE)
                return
            space = PLA if index & 0xFF00 == 0x0100 else USB
            if kind == 0xC0:
                bus.complete(urb, 0, self._registers.read(space, value, length))
            else:
                self._registers.write(space, value, index & 0xFF, urb.data)
                bus.complete(urb, 0, actual=urb.length)
            return
        status, data = self._standard(kind, request, value, length)
        bus.complete(urb, status, data[:length], actual=urb.length if status == 0 else 0)

    def _standard(self, kind: int, request: int, value: int, length: int) -> Reply:
        """Chapter 9 of the USB specification, and what CDC NCM needs."""
        stall: Reply = (-EPIPE, b"")
        if (kind, request) == (0x80, 6):
            found = self._descriptor(value >> 8, value & 0xFF)
            return stall if found is None else (0, found)
        if (kind, request) == (0x00, 9):  # SET_CONFIGURATION
            self._configuration = value & 0xFF
            self._link_reported = None
            return 0, b""
        if (kind, request) == (0x80, 8):
            return 0, bytes([self._configuration])
        if kind in (0x80, 0x81, 0x82) and request == 0:  # GET_STATUS
            return 0, b"\0\0"
        # SET_INTERFACE, features, SET_SEL, SET_ISOCH_DELAY, and CDC requests of class.
        if (kind in (0, 1, 2) and request in (1, 3, 5, 11, 0x30, 0x31)) or kind == 0x21:
            return 0, b""
        ncm = {
            0x80: struct.pack("<HHIHHHHIHHHH", 28, 1, 16384, 4, 0, 4, 0, 16384, 4, 0, 4, 0),
            0x83: b"\0\0",
            0x85: struct.pack("<I", 16384),
            0x87: struct.pack("<H", 1514),
            0x89: b"\0\0",
        }
        if kind == 0xA1 and request in ncm:
            return 0, ncm[request][:length]
        return stall

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == 1:
            return descriptors.device(superspeed=self._superspeed)
        if kind == 2:
            return descriptors.configuration(index, superspeed=self._superspeed)
        if kind == 3:
            return descriptors.string(index)
        return descriptors.binary_object_store() if kind == 15 else None

    # --- frames ------------------------------------------------------------------------------

    def _passes(self) -> bool:
        """Whether frames get through. In NCM's configuration they are not emulated."""
        linked = self._registers.link and self._settings["data"] == "ok"
        return linked and self._configuration == REALTEK

    def _transmit(self, bus: Bus, urb: Urb) -> None:
        mode = self._settings["tx"]
        if mode == "stall":
            return
        if mode == "eproto":
            bus.complete(urb, -EPROTO)
            return
        bus.complete(urb, 0, actual=urb.length)
        if self._tap is not None and self._passes():
            for frame in frames.transmitted(urb.data):
                self.truth.counters["frames_from_host"] += 1
                self._tap.write(frame)

    def _pump(self, tap: frames.Tap) -> None:
        """From the network to the host, into whatever receive URB is still wanted."""
        while True:
            frame = tap.read()
            with self._lock:
                while self._bus is not None and self._passes() and self._receiving:
                    urb = self._receiving.popleft()
                    if self._bus.complete(urb, 0, frames.received(frame)):
                        self.truth.counters["frames_to_host"] += 1
                        break

    # --- link reports ------------------------------------------------------------------------

    def _report(self, bus: Bus, urb: Urb) -> None:
        """Answer an interrupt URB after a while with the link as it is then."""
        bus.closed.wait(REPORT_SECONDS)
        with self._lock:
            if not bus.is_pending(urb):
                return
            if self._settings["interrupt"] == "dead":
                self._settings["interrupt"] = "ok"  # once: the driver asks no more
                bus.complete(urb, -EPROTO)
                return
            link = self._registers.link
            note = None
            if link != self._link_reported and self._completes_a_report():
                note = self.truth.note("carrier up" if link else "carrier down")
            if bus.complete(urb, 0, self._link_message(link)[: urb.length]) and note is not None:
                if self._link_reported is not None:
                    counter = "carrier_up_reported" if link else "carrier_down_reported"
                    self.truth.counters[counter] += 1
                self._link_reported = link
                self._reported.notify_all()

    def _completes_a_report(self) -> bool:
        """CDC tells speed and connection in turn; only the second one is about the link."""
        return self._configuration == REALTEK or self._notifications % 2 == 1

    def _link_message(self, link: bool) -> bytes:
        if self._configuration != NCM:
            return struct.pack("<H", 0x0004 if link else 0)  # INTR_LINK
        self._notifications += 1
        bits = self._registers.speed * 1_000_000 if link else 0
        if self._notifications % 2 == 1:  # CONNECTION_SPEED_CHANGE
            return struct.pack("<BBHHHII", 0xA1, 0x2A, 0, 0, 8, bits, bits)
        return struct.pack("<BBHHH", 0xA1, 0, int(link), 0, 0)  # NETWORK_CONNECTION

    def _wait_for_report(self, link: bool) -> dict[str, Any]:
        """Until the kernel was told; never, where nobody asks (unplugged, down, interrupt dead)."""
        deadline = time.monotonic() + REPORT_SECONDS_MAX
        while self._link_reported != link:
            left = deadline - time.monotonic()
            if left <= 0 or self._bus is None:
                return {**self.truth.note(f"link {link}, not reported"), "reported": False}
            self._reported.wait(left)
        event = "carrier up" if link else "carrier down"
        reports = (entry for entry in reversed(self.truth.events) if entry["event"] == event)
        return {**next(reports), "reported": True}
