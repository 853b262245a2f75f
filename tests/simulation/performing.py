"""What each action does to the truth: its evidence first, then one write after the other.

An action is a generator of the seconds that its writes take, so that it can be cut off between
any two of them, as a process that is killed is. What it has switched off until then stays off.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.actions import (
    Action,
    Authorize,
    BindDriver,
    BounceLink,
    CycleConfiguration,
    OnDevice,
    PowerCyclePort,
    PowerPortOn,
    RaiseLink,
    Reauthorize,
    RebindDriver,
    RenewAddresses,
    ResetDevice,
    RestartUnits,
    RestoreName,
    SetConfiguration,
    SetUsbPower,
)
from tests.simulation.hardware import GENERIC_CONFIGURATION, Hardware
from tests.simulation.kernel import Kernel

HANGS = float("inf")


class Refused(Exception):
    """The world has moved since the action was decided on."""


class Failed(Exception):
    """The kernel said no to a write."""


class Performing:
    """Carries out actions on the truth, with the mishaps that the dice want."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self._random = kernel, kernel.random
        self.halves = 0.0  # the part of all helpful steps that help half, or for a moment
        self.mishaps = 0.0  # the part of all writes that fail or hang

    def perform(self, action: Action) -> Iterator[float]:
        """Seconds, write by write. Raises Refused or Failed."""
        nic = self._plug(action)
        match action:
            case SetUsbPower():
                self._check(action, nic)
                yield from self._write(nic)
                nic.autosuspend = action.power_control == "auto"
            case BounceLink():
                yield from self._bounce(action, nic)
            case RaiseLink():
                self._check(action, nic)
                yield from self._write(nic)
                self.kernel.set_up(nic, "step", up=True)
            case RestoreName():
                yield from self._rename(action, nic)
            case ResetDevice():
                yield from self._reset(action, nic)
            case RebindDriver() | BindDriver():
                yield from self._rebind(action, nic)
            case CycleConfiguration() | SetConfiguration():
                yield from self._configure(action, nic)
            case Reauthorize() | Authorize():
                yield from self._authorize(action, nic)
            case RenewAddresses():
                self._check(action, nic)
                yield from self._write(nic)
                nic.addressed = nic.routed = True
                nic.given_up = False
            case PowerCyclePort() | PowerPortOn():
                yield from self._power(action, nic)
            case RestartUnits():
                self._check(action, nic)
                yield from self._write(nic)
                self.kernel.node.restart()

    def _bounce(self, action: OnDevice, nic: Hardware) -> Iterator[float]:
        self._check(action, nic)
        yield from self._write(nic)
        self.kernel.set_up(nic, "step", up=False)
        self._leave_off(nic, "admin")
        yield from self._write(nic)
        self._treat(nic, action.step)
        self.kernel.set_up(nic, "step", up=True)

    def _rename(self, action: RestoreName, nic: Hardware) -> Iterator[float]:
        self._check(action, nic)
        yield from self._write(nic)
        self.kernel.set_up(nic, "step", up=False)
        self._leave_off(nic, "admin")
        try:
            yield from self._write(nic)
        except Failed:
            self.kernel.set_up(nic, "step", up=True)
            raise
        self.kernel.rename(nic, action.name)
        yield from self._write(nic)
        self.kernel.set_up(nic, "step", up=True)

    def _reset(self, action: OnDevice, nic: Hardware) -> Iterator[float]:
        self._check(action, nic)
        yield from self._write(nic)
        self.kernel.say("usb_reset", nic)
        self.kernel.lose(nic, "step")
        self._treat(nic, action.step)
        nic.deaf = False
        if nic.driver == "cdc_ncm":  # it has no reset of its own: bound anew
            self.kernel.unbind(nic, "step")
            self.kernel.bind(nic, "step")
        self.kernel.train(nic)
        yield 0.2

    def _rebind(self, action: RebindDriver | BindDriver, nic: Hardware) -> Iterator[float]:
        self._check(action, nic)
        if nic.configuration is None or action.interface != nic.interface() or not nic.authorized:
            raise Refused(f"{action.interface} is gone")
        if isinstance(action, RebindDriver):
            yield from self._write(nic)
            self.kernel.unbind(nic, "step")
            self._leave_off(nic, "driver")
            self._treat(nic, action.step)
        if nic.driver is None:
            yield from self._write(nic)
            self.kernel.bind(nic, "step")
            self._bound(nic)

    def _configure(
        self, action: CycleConfiguration | SetConfiguration, nic: Hardware
    ) -> Iterator[float]:
        self._check(action, nic)
        if isinstance(action, CycleConfiguration):
            yield from self._write(nic)
            self.kernel.configure(nic, None, "step")
            self._leave_off(nic, "configuration")
            self._treat(nic, action.step)
        yield from self._choose(nic, action.configuration)

    def _authorize(self, action: Reauthorize | Authorize, nic: Hardware) -> Iterator[float]:
        self._check(action, nic)
        if isinstance(action, Reauthorize):
            yield from self._write(nic)
            self.kernel.configure(nic, None, "step")
            nic.authorized = False
            self._leave_off(nic, "authorized")
            self._treat(nic, action.step)
        if not nic.authorized:
            yield from self._write(nic)
            nic.authorized = True
            chosen = GENERIC_CONFIGURATION if self.kernel.reauthorizes_generic else 1
            nic.left_off.pop("authorized", None)
            self.kernel.configure(nic, chosen, "step")
        yield from self._choose(nic, action.configuration)

    def _choose(self, nic: Hardware, configuration: int) -> Iterator[float]:
        if nic.configuration != configuration:
            yield from self._write(nic)
            self.kernel.configure(nic, configuration, "step")
        nic.left_off.pop("configuration", None)

    def _power(self, action: PowerCyclePort | PowerPortOn, nic: Hardware) -> Iterator[float]:
        if isinstance(action, PowerCyclePort) or nic.power:
            if action.device_number is not None:
                self._check(action, nic)
            elif nic.present:
                raise Refused("the plug was empty, and is not")
        if isinstance(action, PowerCyclePort):
            yield from self._write(nic)
            was_there = nic.present
            nic.power = False
            self._leave_off(nic, "power")
            if was_there:
                self.kernel.disconnect(nic, "step")
            yield float(action.off_seconds)
            self._treat(nic, action.step)
        yield from self._write(nic)
        was_on, nic.power = nic.power, True
        nic.left_off.pop("power", None)
        if not was_on:
            self.kernel.connect(nic, "step")
        yield 0.5

    # --- what all of them share ---------------------------------------------------------------

    def _plug(self, action: OnDevice) -> Hardware:
        for nic in self.kernel.nics.values():
            if action.usb_path in (nic.path, nic.companion):
                return nic
        raise Refused(f"{action.usb_path!r} is no bus path of a plug")

    def _check(self, action: OnDevice, nic: Hardware) -> None:
        """As agent/act/evidence.py does."""
        if action.device_number is None:
            raise Refused("decided on an empty plug")
        if not nic.present or nic.device_number != action.device_number:
            raise Refused("another device, or none")
        if action.ifindex is not None and action.ifindex != nic.ifindex:
            raise Refused("another link, or none")

    def _write(self, nic: Hardware) -> Iterator[float]:
        yield self._random.choice((0.01, 0.3, 3.0)) * self._random.random()
        dice = self._random.random()
        if dice < self.mishaps / 2:
            raise Failed("EIO")
        if dice < self.mishaps or (nic.registers_dead and dice > 1 - self.mishaps):
            yield HANGS

    def _leave_off(self, nic: Hardware, what: str) -> None:
        nic.left_off[what] = self.kernel.timeline.now_ns

    def _treat(self, nic: Hardware, step: str) -> None:
        """A step helps where it does; where it does not, the fault shows again (world.py)."""
        if step in nic.cures:
            half = self._random.random() < self.halves if self.halves else False
            if half and self._random.random() < 0.5:
                seconds, was = self._random.uniform(2, 90), nic.wedged
                self.kernel.timeline.after(seconds, lambda: self._relapse(nic, was=was))
            elif half and nic.wedged:
                nic.wedged = nic.tx_hung = nic.mute = False
                return  # what is wrong with its registers stays
            nic.wedged = nic.registers_dead = nic.tx_hung = nic.phy_hung = nic.mute = False
            nic.fallen = nic.generic = False
        if step in ("usb_config_cycle", "usb_reauthorize"):
            nic.generic = False

    def _relapse(self, nic: Hardware, *, was: bool) -> None:
        if self.halves and nic.present:  # until the world is healed
            nic.wedged, nic.tx_hung = was, not was

    def _bound(self, nic: Hardware) -> None:
        if nic.driver is None:
            raise Failed("ENODEV: the driver's probe failed")
        nic.left_off.pop("driver", None)
