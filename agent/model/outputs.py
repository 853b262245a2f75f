"""Outputs: what was decided. Ask, Act, Wake and Tell, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

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
class ReadCounters:
    """The traffic counters of a link; the answer is CountersRead."""

    ifindex: int
    device: str


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
class FollowKernelLog:
    """Tell of the kernel's log after this sequence number, from now on: KernelLogRead."""

    after_sequence: int | None  # None: all that is there


Question: TypeAlias = (
    ListLinks | ReadAdapter | ReadCounters | ReadSpeed | ReadUplinks | Probe | FollowKernelLog
)


@dataclass(frozen=True)
class Ask:
    """A question to `observe`; its answer, or ReadFailed, comes back as a fact."""

    question: Question


# --- Act: a change of the world --------------------------------------------------------------


@dataclass(frozen=True)
class SetUsbPower:
    """Write power/control of a USB device.

    It carries the evidence it was decided on (ifindex, bus path, device number): the actor
    refuses when the world has moved, and has nothing left to decide.
    """

    action_id: str
    step: str
    nic: str
    ifindex: int
    device: str
    usb_path: str
    device_number: int
    power_control: str


Action: TypeAlias = SetUsbPower
ActionOutcome: TypeAlias = Literal["done", "failed", "refused", "timed_out"]


@dataclass(frozen=True)
class Act:
    """An action for `act`; carried out only once the state that knows of it is on disk."""

    action: Action


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
