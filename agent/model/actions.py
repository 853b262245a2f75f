"""Actions on a device: each says all, and whoever carries it out has nothing left to decide.

A module of their own: the child that carries one out imports nothing else, and is started where
every tenth of a second counts (act/child.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from agent.model.identity import NetworkService


@dataclass(frozen=True)
class OnDevice:
    """What every action carries: the evidence that it was decided on.

    The actor refuses when the world has moved, and has nothing left to decide.
    """

    action_id: str
    step: str
    nic: str
    ifindex: int | None  # None: decided on a device without a network interface, or on none
    device: str
    usb_path: str
    device_number: int | None  # None: decided on an empty plug


@dataclass(frozen=True)
class SetUsbPower(OnDevice):
    """Write power/control of the device, and usb3_lpm_permit of its port; "" leaves one alone."""

    power_control: str
    lpm_permit: str = ""


@dataclass(frozen=True)
class BounceLink(OnDevice):
    """Set the link down and up."""


@dataclass(frozen=True)
class RaiseLink(OnDevice):
    """Set the link up."""


@dataclass(frozen=True)
class RestoreName(OnDevice):
    """Set the link down, give it its name, set it up."""

    name: str


@dataclass(frozen=True)
class ResetDevice(OnDevice):
    """Reset the USB device where it is: r8152 keeps its network interface."""


@dataclass(frozen=True)
class RebindDriver(OnDevice):
    """Take the driver from the USB interface, if it has it, and bind it."""

    driver: str
    interface: str  # e.g. 2-1:1.0


@dataclass(frozen=True)
class BindDriver(OnDevice):
    """Bind the driver, where none is bound: what is left of RebindDriver."""

    driver: str
    interface: str


@dataclass(frozen=True)
class RestartUnits(OnDevice):
    """Restart those of these systemd units that run."""

    units: tuple[str, ...]


@dataclass(frozen=True)
class RenewAddresses(OnDevice):
    """Have whoever manages the link apply its configuration anew."""

    network_service: NetworkService


@dataclass(frozen=True)
class CycleConfiguration(OnDevice):
    """Leave the USB configuration and choose this one, which is this driver's."""

    configuration: int
    driver: str


@dataclass(frozen=True)
class SetConfiguration(OnDevice):
    """Choose a USB configuration, where none is chosen: what is left of CycleConfiguration."""

    configuration: int


@dataclass(frozen=True)
class Reauthorize(OnDevice):
    """Deauthorise and authorise the USB device, then see that this configuration is chosen.

    It is this driver's, which must be there to take it.
    """

    configuration: int
    driver: str


@dataclass(frozen=True)
class Authorize(OnDevice):
    """Authorise the USB device, where it is not: what is left of Reauthorize."""

    configuration: int


@dataclass(frozen=True)
class PowerCyclePort(OnDevice):
    """Switch the plug off, both its USB ports, and on again."""

    companion_path: str
    off_seconds: int


@dataclass(frozen=True)
class PowerPortOn(OnDevice):
    """Switch the plug on: what is left of PowerCyclePort."""

    companion_path: str


Action: TypeAlias = (
    SetUsbPower
    | BounceLink
    | RaiseLink
    | RestoreName
    | ResetDevice
    | RebindDriver
    | BindDriver
    | CycleConfiguration
    | SetConfiguration
    | Reauthorize
    | RenewAddresses
    | RestartUnits
    | Authorize
    | PowerCyclePort
    | PowerPortOn
)
# busy: not begun, since an earlier one still hangs in the kernel, or the disk knows nothing of it.
ActionOutcome: TypeAlias = Literal["done", "failed", "refused", "busy", "timed_out"]
