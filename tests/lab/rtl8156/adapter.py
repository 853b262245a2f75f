"""The adapter: USB requests in, register reads, frames and link reports out, faults in between."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab.rtl8156 import frames, requests
from tests.lab.rtl8156.bus import EPIPE, EPROTO, Bus, Urb
from tests.lab.rtl8156.descriptors import EP_INTERRUPT, EP_RECEIVE, EP_TRANSMIT, MAC, REALTEK
from tests.lab.rtl8156.faults import Value, value_of
from tests.lab.rtl8156.registers import PLA, USB, Registers
from tests.lab.rtl8156.reports import Reports
from tests.lab.rtl8156.truth import Truth

_REGISTERS_REQUEST = 5  # RTL8152_REQ_GET_REGS, RTL8152_REQ_SET_REGS
HEED_SECONDS_MAX = 5.0
POWER_OFF_SECONDS = 10.0  # 6 s did not help where 15 s did
_WHOLE = {"tx": "ok", "ctl": "ok", "data": "ok", "cure": "nothing"}


@dataclass(frozen=True)
class Specimen:
    """An adapter and the plug it goes into."""

    superspeed: bool = True
    port: int = 0
    mac: bytes = MAC


SPECIMENS: Mapping[str, Specimen] = {
    "ss": Specimen(),
    "hs": Specimen(superspeed=False),
    "port2": Specimen(port=1),
    "other": Specimen(mac=bytes.fromhex("8cae4cdd5def")),
    "no_mac": Specimen(mac=bytes(6)),
}


class Plugged:
    """One attachment of the adapter, from plug to unplug. A new one has forgotten every fault."""

    def __init__(self, specimen: Specimen, truth: Truth, tap: frames.Tap) -> None:
        superspeed = specimen.superspeed
        self._truth = truth
        self._tap = tap
        self._changed = threading.Condition()  # guards all of it
        self._settings = dict(_WHOLE)
        self._registers = Registers(speed=2500 if superspeed else 1000, mac=specimen.mac)
        self._standard = requests.StandardRequests(superspeed=superspeed)
        self._receiving: deque[Urb] = deque()
        self._bus = Bus(superspeed=superspeed, port=specimen.port)
        self._reports = Reports(self._bus, self._registers, truth, self._changed)
        self._bus.serve(self._submit)

    def set(self, setting: str, value: Value) -> dict[str, Any]:
        """What came of it: for the link and the interrupt endpoint, whether the driver knows."""
        if setting == "link":
            return self._set_link(up=bool(value))
        if setting == "intr":
            return {"reported": self._reports.fail_next(fails=value == "dead")}
        with self._changed:
            if setting == "speed":
                self._registers.speed = int(value)
            else:
                self._settings[setting] = str(value)
            return {}

    def _set_link(self, *, up: bool) -> dict[str, Any]:
        """Waits for the driver to act on it, too, so that no change undoes another unseen.

        r8152 and cdc_ncm set the carrier in a worker, which first goes and reads the link as it
        is by then. Afterwards they ask for frames, or take back that they did: that shows here.
        """
        with self._changed:
            self._registers.link = up
            said = self._reports.wait_until_said(link=up)
        if said["reported"]:
            said["heeded"] = self._bus.wait_until_pending(
                EP_RECEIVE, expected=up, seconds_max=HEED_SECONDS_MAX
            )
        return said

    def unplug(self) -> None:
        self._bus.detach()
        with self._changed:
            self._receiving.clear()
            self._changed.notify_all()

    def receive(self, frame: bytes) -> None:
        """From the network to the host, into the oldest receive URB that is still wanted."""
        with self._changed:
            while self._passes() and self._receiving:
                if self._bus.complete(self._receiving.popleft(), 0, frames.received(frame)):
                    self._truth.count("frames_to_host")
                    return

    def _passes(self) -> bool:
        """Whether frames get through. In NCM's configuration they are not emulated."""
        linked = self._registers.link and self._settings["data"] == "ok"
        return linked and self._standard.configuration == REALTEK

    def _submit(self, urb: Urb) -> None:
        """Called by the bus for each URB. Not completed here, it stays pending."""
        with self._changed:
            if urb.endpoint == 0:
                self._control(urb)
            elif urb.endpoint == EP_TRANSMIT and not urb.inbound:
                self._transmit(urb)
            elif urb.endpoint == EP_RECEIVE and urb.inbound:
                self._receiving.append(urb)
            elif urb.endpoint == EP_INTERRUPT and urb.inbound:
                self._reports.asked(urb, self._standard.configuration)
            else:
                self._bus.complete(urb, -EPIPE)

    def _control(self, urb: Urb) -> None:
        asked = requests.setup(urb.setup)
        self._cure(asked)
        vendor = asked.kind in (requests.VENDOR_READ, requests.VENDOR_WRITE)
        if not vendor or asked.request != _REGISTERS_REQUEST:
            answer = self._standard.answer(asked)
        elif self._settings["ctl"] == "hang":
            return  # until the host takes it back
        elif self._settings["ctl"] == "fail":
            answer = None
        else:
            answer = self._access_registers(asked, urb.data)
        if answer is None:
            self._bus.complete(urb, -EPIPE)
        else:
            self._bus.complete(urb, 0, answer[: asked.length], actual=urb.length)

    def _cure(self, asked: requests.Setup) -> None:
        """Nothing is wrong any more where what the host has done is what helps."""
        was_off = self._bus.silence_seconds >= POWER_OFF_SECONDS
        cures = {
            "reset": asked.follows_reset,
            "configuration": asked.leaves_configuration or (asked.follows_reset and was_off),
            "power": asked.follows_reset and was_off,
        }
        if cures.get(self._settings["cure"], False):
            self._truth.note(f"whole again: {self._settings['cure']}")
            self._settings = dict(_WHOLE)
            self._registers.link = True
            self._changed.notify_all()

    def _access_registers(self, asked: requests.Setup, data: bytes) -> bytes:
        space = PLA if asked.index & 0xFF00 == 0x0100 else USB  # MCU_TYPE_PLA, MCU_TYPE_USB
        if asked.kind == requests.VENDOR_WRITE:
            self._registers.write(space, asked.value, asked.index & 0xFF, data)
            return b""
        return self._registers.read(space, asked.value, asked.length)

    def _transmit(self, urb: Urb) -> None:
        mode = self._settings["tx"]
        if mode == "stall":
            return
        if mode == "eproto":
            self._bus.complete(urb, -EPROTO)
            return
        self._bus.complete(urb, 0, actual=urb.length)
        if self._passes():
            for frame in frames.transmitted(urb.data):
                self._truth.count("frames_from_host")
                self._tap.write(frame)


class Adapter:
    """What outlives a plug and an unplug: the network behind it, the truth, the commands."""

    def __init__(self, tap: frames.Tap) -> None:
        self.truth = Truth()
        self._tap = tap
        self._plugged: Plugged | None = None
        threading.Thread(target=self._pump, name="tap", daemon=True).start()

    def command(self, name: str, arguments: list[str]) -> dict[str, Any]:
        """Bring a fault about; the answer says when it took effect. One command at a time."""
        setting, value = value_of(name, arguments)
        if setting == "plug":
            return self.unplug() if value == "out" else self.plug(str(value))
        if self._plugged is None:
            raise ValueError(f"{name}: the adapter is not plugged in")
        note = self.truth.note(" ".join((name, *arguments)))
        return {**note, **self._plugged.set(setting, value)}

    def begin_anew(self) -> dict[str, Any]:
        """As after a restart: whole, just plugged in, and nothing has happened yet."""
        if self._plugged is not None:
            self.unplug()
        self.truth = Truth()
        return self.plug("ss")

    def plug(self, name: str) -> dict[str, Any]:
        """Plug it in, after unplugging it where it already is."""
        if self._plugged is not None:
            self.unplug()
        moment = time.time_ns()
        self._plugged = Plugged(SPECIMENS[name], self.truth, self._tap)
        self.truth.count("plugs")
        return self.truth.note(f"plug {name}", moment)

    def unplug(self) -> dict[str, Any]:
        if self._plugged is None:
            raise ValueError("unplug: the adapter is not plugged in")
        plugged, self._plugged = self._plugged, None
        moment = time.time_ns()
        plugged.unplug()
        self.truth.count("unplugs")
        return self.truth.note("unplug", moment)

    def _pump(self) -> None:
        while True:
            frame = self._tap.read()
            plugged = self._plugged
            if plugged is not None:
                plugged.receive(frame)
