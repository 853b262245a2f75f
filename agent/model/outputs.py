"""Outputs: what was decided. Ask, Act, Wake and Tell, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agent.model.actions import Action
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
