"""What goes wrong in the world, how it shows, and what mends it."""

from __future__ import annotations

from collections.abc import Callable

from agent.decide.ladder import LADDER
from tests.builders import SECOND_NS
from tests.simulation.hardware import Hardware
from tests.simulation.kernel import Kernel

PULSE_SECONDS = 1.0
_STEPS = tuple(rung.step for rung in LADDER)
_ANEW = ("usb_reset", "usb_connect", "driver_bound")


class World:
    """The dice's hand on the hardware."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self._random = kernel, kernel.random
        self.is_later = False  # knows the faults that were added later
        self.is_latest = False  # and those that were added after them
        self.false_alarms = False  # a message that nothing is behind
        self.replaced: Callable[[Hardware], None] = lambda _nic: None
        for nic in kernel.nics.values():
            kernel.connect(nic, "fault")

    def pulse(self) -> None:
        """Once a second: what is wrong shows in messages and counters."""
        for nic in self.kernel.nics.values():
            self._show(nic)
            self.look(nic)
            there = self.kernel.switch and self.kernel.gateway
            now_ns = self.kernel.now().boottime_ns
            self.kernel.node.pulse(nic, now_ns, server_answers=there)
        self.kernel.timeline.after(PULSE_SECONDS, self.pulse)

    def look(self, nic: Hardware) -> None:
        now_ns = self.kernel.timeline.now_ns
        nic.healthy_ns = (nic.healthy_ns or now_ns) if nic.healthy else None

    def _show(self, nic: Hardware) -> None:
        if nic.passes_packets() and self.kernel.switch:
            nic.rx_packets += self._random.randrange(3)
        if nic.driver != "r8152":
            return
        often = self._random.random() < 0.3
        if nic.wedged and often and not self._said_since_anew(nic, "gave_up"):
            self.kernel.say("gave_up", nic)
        if nic.registers_dead and often:
            self.kernel.say("control_error", nic)
        if nic.tx_hung and nic.admin_up and often:
            nic.tx_timeouts += 1
            self.kernel.say("tx_timeout", nic)
        if nic.deaf and often and not self._said_since_anew(nic, "interrupt_stopped"):
            self.kernel.say("interrupt_stopped", nic)

    def _said_since_anew(self, nic: Hardware, name: str) -> bool:
        for message in reversed(self.kernel.log):
            if message.subject == f"usb:{nic.path}" and message.message_class in (name, *_ANEW):
                return message.message_class == name
        return False

    # --- faults -------------------------------------------------------------------------------

    def strike(self, nic: Hardware) -> str:
        """One fault of this NIC; its name."""
        faults: dict[str, Callable[[Hardware], None]] = {
            "wedge": self._wedge,
            "registers": self._registers,
            "transmit": self._transmit,
            "deaf": self._deaf,
            "phy": self._phy,
            "fall": self._fall,
            "generic": self._generic,
            "cable": self._cable,
            "unplug": self.unplug,
            "blink": self._blink,
            "nameless": self._nameless,
            "alarm": self._alarm,
        }
        if self.is_later:
            faults |= {"mute": self._mute, "unaddressed": self._unaddressed}
        if self.is_latest:
            faults |= {"unrouted": self._unrouted}
        name = self._random.choice(list(faults))
        faults[name](nic)
        self.look(nic)
        return name

    def _cures(self, *least: str) -> frozenset[str]:
        """From some rung on all of them help, or none does."""
        rung = self._random.randrange(_STEPS.index("usb_reset"), len(_STEPS) + 1)
        return frozenset(_STEPS[rung:]) | frozenset(least)

    def _wedge(self, nic: Hardware) -> None:
        nic.wedged, nic.cures = True, self._cures()
        nic.registers_dead = nic.registers_dead or self._random.random() < 0.3

    def _registers(self, nic: Hardware) -> None:
        nic.registers_dead, nic.cures = True, self._cures()
        if self._random.random() < 0.6:
            nic.wedged = True
        elif self._random.random() < 0.7:  # it passes
            self.kernel.timeline.after(self._random.uniform(3, 40), lambda: self._alive(nic))

    def _alive(self, nic: Hardware) -> None:
        nic.registers_dead = nic.wedged

    def _transmit(self, nic: Hardware) -> None:
        nic.tx_hung, nic.cures = True, self._cures()

    def _deaf(self, nic: Hardware) -> None:
        if nic.carrier:
            nic.deaf = True
            if self._random.random() < 0.5:
                self._cable(nic)

    def _mute(self, nic: Hardware) -> None:
        nic.mute, nic.cures = True, self._cures()

    def _unaddressed(self, nic: Hardware) -> None:
        """Its lease lapsed, or somebody took them; whoever manages it may see that, or not."""
        nic.addressed = False
        if self._random.random() < 0.5:
            self.kernel.timeline.after(self._random.uniform(3, 60), lambda: self._addressed(nic))

    def _addressed(self, nic: Hardware) -> None:
        nic.addressed = True

    def _unrouted(self, nic: Hardware) -> None:
        """Whoever manages it gave up half-way, or somebody took the route."""
        nic.routed = False

    def _phy(self, nic: Hardware) -> None:
        nic.phy_hung, nic.cures = True, self._cures("usb_reset")
        self.kernel.lose(nic, "fault")

    def _fall(self, nic: Hardware) -> None:
        if nic.present:
            self.kernel.disconnect(nic, "fault")
            nic.cures = frozenset({"port_power"} if self._random.random() < 0.7 else ())
            nic.fallen = True
            if self._random.random() < 0.5:
                self.kernel.timeline.after(self._random.uniform(0.5, 4), lambda: self._back(nic))

    def _back(self, nic: Hardware) -> None:
        if nic.fallen:
            nic.fallen = False
            self.kernel.connect(nic, "fault")

    def _generic(self, nic: Hardware) -> None:
        if nic.present and nic.authorized and not nic.left_off:
            nic.generic = True
            self.kernel.configure(nic, 1, "fault")

    def _nameless(self, nic: Hardware) -> None:
        if nic.present and not nic.left_off:
            nic.nameless = True
            self.kernel.configure(nic, 1, "fault")
            nic.nameless = False

    def _cable(self, nic: Hardware) -> None:
        nic.cable = False
        self.kernel.lose(nic, "fault")
        self.kernel.timeline.after(self._random.uniform(1, 120), lambda: self.cable_in(nic))

    def cable_in(self, nic: Hardware) -> None:
        nic.cable = True
        self.kernel.train(nic)

    def unplug(self, nic: Hardware) -> None:
        """Somebody pulls it, and puts it back, or another one."""
        if nic.present:
            self.kernel.disconnect(nic, "fault")
        nic.plugged = False
        self.kernel.timeline.after(self._random.uniform(0.5, 60), lambda: self.plug_in(nic))

    def plug_in(self, nic: Hardware) -> None:
        """All faults of the hardware are over with its power."""
        if nic.plugged:
            return
        nic.plugged = True
        self._mend(nic)
        if self._random.random() < 0.25:
            nic.mac = f"{nic.mac[:-2]}{int(nic.mac[-2:], 16) ^ 0x10:02x}"
            nic.newcomer = True
            self.replaced(nic)
        self.kernel.connect(nic, "fault")

    def _blink(self, nic: Hardware) -> None:
        self.kernel.lose(nic, "fault")
        self.kernel.train(nic)

    def _alarm(self, nic: Hardware) -> None:
        if self.false_alarms:
            alarms = ("gave_up", "control_error", "tx_timeout")
            self.kernel.say(self._random.choice(alarms), nic)  # type: ignore[arg-type]

    # --- the network, and people --------------------------------------------------------------

    def router_reboots(self) -> None:
        self.kernel.gateway = False
        seconds = self._random.uniform(5, 150)
        self.kernel.timeline.after(seconds, lambda: setattr(self.kernel, "gateway", True))

    def server_restarts(self) -> None:
        self.kernel.server = False
        seconds = self._random.uniform(5, 300)
        self.kernel.timeline.after(seconds, lambda: setattr(self.kernel, "server", True))

    def switch_reboots(self) -> None:
        """Everybody's carrier goes, and is back in less than three minutes."""
        self.kernel.switch = False
        for nic in self.kernel.nics.values():
            self.kernel.lose(nic, "fault")
        self.kernel.timeline.after(self._random.uniform(20, 170), self._switch_is_back)

    def _switch_is_back(self) -> None:
        self.kernel.switch = True
        for nic in self.kernel.nics.values():
            self.kernel.train(nic)

    def order_down(self, nic: Hardware) -> None:
        if nic.ifindex is not None and nic.admin_up:
            self.kernel.set_up(nic, "order", up=False)
            nic.ordered_down_ns = self.kernel.timeline.now_ns
            seconds, ifindex = self._random.uniform(5, 300), nic.ifindex
            self.kernel.timeline.after(seconds, lambda: self.order_up(nic, ifindex))

    def order_up(self, nic: Hardware, ifindex: int | None) -> None:
        if nic.ifindex == ifindex:
            nic.ordered_down_ns = None
            self.kernel.set_up(nic, "order", up=True)

    def heal(self) -> None:
        """Whatever is wrong with the hardware and the network ends; what a step left off stays."""
        self.kernel.gateway = self.kernel.server = True
        self.kernel.node.heal()
        if not self.kernel.switch:
            self._switch_is_back()
        for nic in self.kernel.nics.values():
            if not nic.cable:
                self.cable_in(nic)
            unbound = nic.driver is None and not nic.left_off
            if nic.faulty or not nic.plugged or unbound:
                left_off = dict(nic.left_off)
                if nic.present:
                    self.kernel.disconnect(nic, "fault")
                nic.plugged = False
                self.plug_in(nic)
                nic.left_off.update({w: t for w, t in left_off.items() if w == "power"})
            if nic.ordered_down_ns is not None or "admin" not in nic.left_off:
                self.order_up(nic, nic.ifindex)

    def _mend(self, nic: Hardware) -> None:
        nic.wedged = nic.registers_dead = nic.tx_hung = nic.deaf = nic.phy_hung = False
        nic.fallen = nic.generic = nic.mute = False
        nic.addressed, nic.routed, nic.given_up = True, True, False

    def up_since(self, nic: Hardware, seconds: float) -> bool:
        """Healthy, and for so long."""
        if nic.healthy_ns is None or not nic.healthy:
            return False
        return self.kernel.timeline.now_ns - nic.healthy_ns >= seconds * SECOND_NS
