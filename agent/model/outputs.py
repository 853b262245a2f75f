"""Outputs: what was decided. Ask, Act, Wake and Tell, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from agent.model.identity import NetworkService
from agent.model.outputs_of_cni import ListNetwork, PutBack, ReadRequester
from agent.model.verdicts import Verdict

# --- Ask: a fresh reading --------------------------------------------------------------------


@dataclass(frozen=True)
class ListLinks:
    """Every link there is; the answer is LinksListed with the same number."""

    number: int


@dataclass(frozen=True)
class ReadAdapter:
    """What hardware is behind a link; the answer is AdapterRead."""

    ifindex: int
    device: str


@dataclass(frozen=True)
class ReadPlug:
    """What USB device sits in a NIC's plug just now; the answer is PlugRead."""

    connector: str
    usb_path: str
    companion_path: str


@dataclass(frozen=True)
class ReadCounters:
    """The traffic counters of a link; the answer is CountersRead."""

    ifindex: int
    device: str


@dataclass(frozen=True)
class ReadUsbTree:
    """What sits where on the USB, and how; the answer is UsbTreeRead."""


@dataclass(frozen=True)
class ReadSpeed:
    """The link's speed; the answer is SpeedRead. It goes to the hardware, and can hang."""

    ifindex: int
    device: str


@dataclass(frozen=True)
class ReadUplinks:
    """Which link leads where; the answer is UplinksRead."""


@dataclass(frozen=True)
class Probe:
    """Whether `target` (IPv4) answers on `layer3_device`; the answer is ProbeEnded."""

    ifindex: int
    layer3_device: str
    target: str
    timeout_ns: int


@dataclass(frozen=True)
class ReadNode:
    """How k3s and Cilium fare, asked for a NIC; the answer is NodeRead."""

    connector: str


@dataclass(frozen=True)
class FollowKernelLog:
    """Tell of the kernel's log after this sequence number, from now on: KernelLogRead."""

    after_sequence: int | None  # None: all that is there


@dataclass(frozen=True)
class ReopenLinkEvents:
    """Open the source of link events anew: it has gone deaf. The answer is SourceGap."""

    reason: str


Question: TypeAlias = (
    ListLinks
    | ReadAdapter
    | ReadPlug
    | ReadCounters
    | ReadUsbTree
    | ReadSpeed
    | ReadUplinks
    | Probe
    | ReadNode
    | ListNetwork
    | ReadRequester
    | FollowKernelLog
    | ReopenLinkEvents
)


@dataclass(frozen=True)
class Ask:
    """A question to `observe`; its answer, or ReadFailed, comes back as a fact."""

    question: Question


# --- Act: a change of the world --------------------------------------------------------------


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


@dataclass(frozen=True)
class Act:
    """An action for `act`; one on a device only once the state that knows of it is on disk."""

    action: Action | PutBack


# --- Wake and Tell ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Wake:
    """Come back at a time (CLOCK_BOOTTIME) with TimeReached(topic); the latest per topic counts."""

    at_boottime_ns: int
    topic: str


@dataclass(frozen=True)
class Tell:
    """A verdict for people: journal line, catalog entry and metrics derive from it."""

    verdict: Verdict


Output: TypeAlias = Ask | Act | Wake | Tell
