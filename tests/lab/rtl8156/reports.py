"""The interrupt endpoint: what the driver is told of the link, and the truth about that.

The adapter answers an interrupt URB at once where the link is another than it last said, else
after a while. That is enough: r8152 and cdc_ncm both ask again as soon as they have an answer.
"""

from __future__ import annotations

import struct
import threading
import time
from typing import Any

from tests.lab.rtl8156.bus import EPROTO, Bus, Urb
from tests.lab.rtl8156.descriptors import REALTEK
from tests.lab.rtl8156.registers import Registers
from tests.lab.rtl8156.truth import Truth

# A real adapter repeats itself every few milliseconds; in an emulated machine that is the most of
# its load. It has to: the driver forgets the carrier whenever the interface is set up.
REPEAT_SECONDS = 0.15
# How long link_down and link_up wait for the driver to be told: where it has asked, and where it
# has not (interface down, not plugged in, interrupt endpoint dead).
ASKED_SECONDS_MAX, UNASKED_SECONDS_MAX = 5.0, 1.0

_INTR_LINK = 0x0004  # r8152.c
# USB CDC 1.2 tables 20 and 22.
_NETWORK_CONNECTION, _CONNECTION_SPEED_CHANGE = 0x00, 0x2A


class Reports:
    """Of one adapter, from plug to unplug. `changed` is the adapter's own lock."""

    def __init__(
        self, bus: Bus, registers: Registers, truth: Truth, changed: threading.Condition
    ) -> None:
        self._bus = bus
        self._registers = registers
        self._truth = truth
        self._changed = changed
        self._asked: tuple[Urb, float] | None = None  # pending, and when to answer at the latest
        self._realtek = True
        self._fails_next = False
        self._said: bool | None = None
        self._said_note: dict[str, Any] = {}
        self._said_speed = False
        threading.Thread(target=self._answer_all, name="reports", daemon=True).start()

    def asked(self, urb: Urb, configuration: int) -> None:
        """The driver submitted an interrupt URB."""
        with self._changed:
            self._realtek = configuration == REALTEK
            self._asked = (urb, time.monotonic() + REPEAT_SECONDS)
            self._changed.notify_all()

    def fail_next(self, *, fails: bool) -> bool:
        """Answer the next URB with a protocol error. Whether that happened within the bound."""
        with self._changed:
            self._fails_next = fails
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._fails_next, UNASKED_SECONDS_MAX)
            return not self._fails_next

    def wait_until_said(self, *, link: bool) -> dict[str, Any]:
        """The note of the report that told the driver, once it did; or that none did, in time."""

        def said() -> bool:
            return self._said == link

        with self._changed:
            if said():  # nothing new: the change before this one, if any, never got out
                return {"reported": False}
            self._changed.notify_all()
            self._changed.wait_for(said, UNASKED_SECONDS_MAX)
            if self._asked is not None:
                self._changed.wait_for(said, ASKED_SECONDS_MAX - UNASKED_SECONDS_MAX)
            if not said():
                return {"reported": False}
            return {**self._said_note, "reported": True}

    def _answer_all(self) -> None:
        with self._changed:
            while not self._bus.closed.is_set():
                if self._asked is None:
                    self._changed.wait()
                    continue
                urb, latest = self._asked
                left = latest - time.monotonic()
                if left > 0 and self._said == self._registers.link and not self._fails_next:
                    self._changed.wait(left)
                    continue
                self._asked = None
                self._answer(urb)

    def _answer(self, urb: Urb) -> None:
        if self._fails_next:
            if self._bus.complete(urb, -EPROTO):
                self._fails_next = False
                self._changed.notify_all()
            return
        link = self._registers.link
        message, whole = self._message(link=link)
        moment = time.time_ns()
        if self._bus.complete(urb, 0, message[: urb.length]) and whole and link != self._said:
            event = "carrier_up_reported" if link else "carrier_down_reported"
            self._said_note = self._truth.note(event, moment)
            if self._said is not None:
                self._truth.count(event)
            self._said = link
            self._changed.notify_all()

    def _message(self, *, link: bool) -> tuple[bytes, bool]:
        """What to say next, and whether all is said with it: CDC takes two messages for it."""
        if self._realtek:
            return struct.pack("<H", _INTR_LINK if link else 0), True
        self._said_speed = not self._said_speed
        if self._said_speed:
            bits = self._registers.speed * 1_000_000 if link else 0
            kind = _CONNECTION_SPEED_CHANGE
            return struct.pack("<BBHHHII", 0xA1, kind, 0, 0, 8, bits, bits), False
        return struct.pack("<BBHHH", 0xA1, _NETWORK_CONNECTION, int(link), 0, 0), True
