"""What Linux does with the NICs: netdevs, carriers and messages, each with its cause.

A cause is "fault", "step" or "order" (somebody set a link down or up): only the first one is a
loss, a flap or a disconnect that the daemon may count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from random import Random
from typing import Literal, TypeAlias

from agent.model.facts import Fact, LinkGone, LinkSeen
from agent.model.identity import Stamp
from agent.model.kernel_log import KernelClass, KernelMessage
from tests.builders import SECOND_NS, WALL_BASE_NS
from tests.simulation.hardware import (
    DRIVERS,
    GENERIC_CONFIGURATION,
    VENDOR_CONFIGURATION,
    Hardware,
)
from tests.simulation.node import NodeTruth
from tests.simulation.timeline import Timeline

Cause: TypeAlias = Literal["fault", "step", "order"]
Happened: TypeAlias = Literal["loss", "flap", "disconnect", "switched"]  # the last: up or down
TRAINING_SECONDS = (2.0, 8.0)  # a 2.5GBASE-T link


class Kernel:
    """One machine: two buses with a plug or two, a log, and a clock."""

    def __init__(
        self, timeline: Timeline, random: Random, nics: Iterable[Hardware], node: NodeTruth
    ) -> None:
        self.timeline, self.random = timeline, random
        self.nics = {nic.connector: nic for nic in nics}
        self.boot, self.booted_ns, self.wall_offset_ns = 1, 0, 0
        self.node = node
        self.log: list[KernelMessage] = []
        self.switch = True  # the one behind all cables
        self.gateway = self.server = True
        self.networkd = True  # sets up what comes
        self.gives_up = 0.0  # how often it does so on a link that is set up
        self.reauthorizes_generic = False  # as Linux 6.1 does
        self.switches_over = False  # begins with the generic driver, for a moment
        self.tell: Callable[[Fact], None] = lambda _fact: None  # link events, as they come
        self.logged: Callable[[], None] = lambda: None
        self.happened: Callable[[Hardware, Happened, Cause], None] = lambda _n, _h, _c: None
        self._ifindexes, self._numbers, self._sequences = count(2), count(2), count(1)
        self._open_losses: dict[str, Cause] = {}

    def now(self) -> Stamp:
        now_ns = self.timeline.now_ns
        return Stamp(now_ns - self.booted_ns, WALL_BASE_NS + now_ns + self.wall_offset_ns)

    def say(self, name: KernelClass, nic: Hardware) -> None:
        number = next(self._sequences)
        boottime_ns = self.now().boottime_ns
        self.log.append(KernelMessage(name, f"usb:{nic.path}", 1, number, boottime_ns, name))
        self.logged()

    def by_ifindex(self, ifindex: int | None) -> Hardware | None:
        found = (nic for nic in self.nics.values() if nic.ifindex == ifindex)
        return next(found, None) if ifindex is not None else None

    # --- devices ------------------------------------------------------------------------------

    def connect(self, nic: Hardware, cause: Cause) -> None:
        """The device answers on the bus: a new number, authorised, its first configuration."""
        if not nic.present or nic.driver is not None:
            return
        nic.device_number = next(self._numbers)
        nic.authorized, nic.configuration = True, VENDOR_CONFIGURATION
        for what in ("authorized", "configuration", "driver"):
            nic.left_off.pop(what, None)
        self.say("usb_connect", nic)
        if self.switches_over:
            self.configure(nic, GENERIC_CONFIGURATION, cause)
            self.timeline.after(0.4, lambda: self._switch_over(nic, nic.device_number, cause))
        else:
            self.configure(nic, VENDOR_CONFIGURATION, cause)

    def _switch_over(self, nic: Hardware, number: int, cause: Cause) -> None:
        if nic.present and nic.device_number == number and not nic.generic and nic.authorized:
            self.configure(nic, VENDOR_CONFIGURATION, cause)

    def disconnect(self, nic: Hardware, cause: Cause) -> None:
        self.say("usb_disconnect", nic)
        self.unbind(nic, cause)
        nic.configuration = None

    def configure(self, nic: Hardware, configuration: int | None, cause: Cause) -> None:
        self.unbind(nic, cause)
        nic.configuration = configuration
        if configuration == VENDOR_CONFIGURATION and nic.generic and cause == "fault":
            nic.configuration = GENERIC_CONFIGURATION
        if nic.configuration is not None and nic.authorized:
            self.bind(nic, cause)

    def bind(self, nic: Hardware, cause: Cause) -> None:
        """The driver takes the device, if that lets it."""
        if not nic.present or nic.configuration is None or nic.driver is not None:
            return
        if nic.registers_dead:
            self.say("probe_failed", nic)
            return
        nic.driver = DRIVERS[nic.configuration]
        nic.ifindex = next(self._ifindexes)
        nic.admin_up, nic.ordered_down_ns = False, None
        nic.carrier, nic.ups, nic.downs = False, 0, 0
        nic.tx_timeouts, nic.deaf, nic.name = 0, False, nic.kernel_name
        for what in ("authorized", "configuration", "driver"):
            nic.left_off.pop(what, None)
        if cause == "step" and not nic.newcomer:
            nic.left_off["admin"] = self.timeline.now_ns
        self.say("driver_bound", nic)
        self.tell(LinkSeen(self.now(), nic.link()))
        if not nic.nameless:  # the next message tells its name
            self.rename(nic, nic.udev_name)
        if self.networkd:
            index = nic.ifindex
            seconds = self.random.uniform(0.2, 1.5)
            self.timeline.after(seconds, lambda: self._networkd(nic, index))

    def _networkd(self, nic: Hardware, ifindex: int) -> None:
        if nic.ifindex == ifindex and nic.ordered_down_ns is None and nic.name == nic.udev_name:
            self.set_up(nic, "order", up=True)

    def rename(self, nic: Hardware, name: str) -> None:
        nic.name = name
        if nic.ifindex is not None:
            self.tell(LinkSeen(self.now(), nic.link()))

    def unbind(self, nic: Hardware, cause: Cause) -> None:
        """Its netdev goes; that is one disconnect, if nobody meant it."""
        nic.driver, nic.ordered_down_ns = None, None
        nic.left_off.pop("admin", None)
        self._open_losses.pop(nic.connector, None)
        if nic.ifindex is None:
            return
        self.happened(nic, "disconnect", cause)
        ifindex, nic.ifindex = nic.ifindex, None
        nic.admin_up, nic.carrier = False, False
        self.tell(LinkGone(self.now(), ifindex, nic.name))

    # --- links --------------------------------------------------------------------------------

    def set_up(self, nic: Hardware, cause: Cause, *, up: bool) -> None:
        """Set up, the driver listens anew; set down, its carrier goes without being lost."""
        if nic.ifindex is None:
            return
        nic.left_off.pop("admin", None)
        if nic.admin_up == up:
            return
        nic.admin_up, nic.deaf, nic.newcomer = up, False, False
        # networkd 252 takes the carrier that shows for a moment for one, fails, and leaves it so.
        may_give_up = up and self.networkd and self.gives_up > 0
        nic.given_up = may_give_up and self.random.random() < self.gives_up
        nic.addressed = nic.routed = not nic.given_up
        nic.ordered_down_ns = None
        self.happened(nic, "switched", cause)
        if nic.carrier:
            self._switch_carrier(nic, cause, on=False)
        self.tell(LinkSeen(self.now(), nic.link()))
        self.train(nic)

    def lose(self, nic: Hardware, cause: Cause) -> None:
        """The carrier goes, unless the driver does not hear of it."""
        if nic.carrier and not nic.deaf:
            self._switch_carrier(nic, cause, on=False)

    def train(self, nic: Hardware) -> None:
        """Where there is somebody at the other end, the carrier comes after a while."""
        ifindex = nic.ifindex
        seconds = self.random.uniform(*TRAINING_SECONDS)
        self.timeline.after(seconds, lambda: self._trained(nic, ifindex))

    def _trained(self, nic: Hardware, ifindex: int | None) -> None:
        there = nic.cable and self.switch and not nic.phy_hung
        if nic.ifindex == ifindex is not None and nic.admin_up and there and not nic.carrier:
            self._switch_carrier(nic, "fault", on=True)

    def _switch_carrier(self, nic: Hardware, cause: Cause, *, on: bool) -> None:
        nic.carrier = on
        if on:
            nic.ups += 1
            if lost_by := self._open_losses.pop(nic.connector, None):
                self.happened(nic, "flap", lost_by)
        else:
            nic.downs += 1
            self.happened(nic, "loss", cause)
            self._open_losses.setdefault(nic.connector, cause)
        # The kernel tells of it within a second, of several changes at once (link_watch.c).
        ifindex = nic.ifindex
        if nic.messages_of != ifindex:
            nic.messages_of = ifindex or 0
            self.timeline.after(self.random.uniform(0, 1), lambda: self._linkwatch(nic, ifindex))

    def _linkwatch(self, nic: Hardware, ifindex: int | None) -> None:
        if nic.messages_of == ifindex:
            nic.messages_of = 0
        if nic.ifindex == ifindex is not None:
            self.tell(LinkSeen(self.now(), nic.link()))

    # --- the machine --------------------------------------------------------------------------

    def reboot(self, wall_step_ns: int) -> None:
        """Ports are on, devices authorised, the clock that never steps begins anew."""
        self.timeline.clear()
        self.boot += 1
        self.timeline.run(self.random.uniform(20, 90))
        self.booted_ns = self.timeline.now_ns - self.random.randrange(5, 20) * SECOND_NS
        self.wall_offset_ns += wall_step_ns
        self.log, self.networkd = [], True
        self.node.reboot()
        self._sequences, self._ifindexes, self._numbers = count(1), count(2), count(2)
        self._open_losses.clear()
        for nic in self.nics.values():
            nic.driver, nic.ifindex, nic.power, nic.carrier = None, None, True, False
            nic.messages_of, nic.spoiled = 0, False
            nic.left_off.clear()
            self.connect(nic, "fault")
