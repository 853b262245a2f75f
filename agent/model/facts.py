"""Facts: what was observed. Time, answers and what an action led to are facts, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from agent.model.actions import Action, ActionOutcome
from agent.model.facts_of_cni import CniFact
from agent.model.facts_of_gpus import GpuFact
from agent.model.identity import Adapter, Counters, Link, NodeHealth, Stamp, Uplink, UsbDevice
from agent.model.kernel_log import KernelMessage
from agent.model.outputs import Question
from agent.model.policy import Policy
from agent.model.state import Durable
from agent.model.usb_tree import UsbTree


@dataclass(frozen=True)
class Started:
    """The daemon began, with what the store remembered and what it cannot see, in words."""

    at: Stamp
    version: str
    boot_id: str
    restored: Durable | None
    blind_spots: tuple[str, ...]


@dataclass(frozen=True)
class Stopping:
    """The daemon was told to end."""

    at: Stamp
    reason: str


@dataclass(frozen=True)
class LinkSeen:
    """An RTM_NEWLINK event: a link appeared or changed."""

    at: Stamp
    link: Link


@dataclass(frozen=True)
class LinkGone:
    """An RTM_DELLINK event."""

    at: Stamp
    ifindex: int
    device: str


@dataclass(frozen=True)
class LinksListed:
    """Every link there is, as of some moment after listing `number` was asked for."""

    at: Stamp
    number: int
    links: tuple[Link, ...]


@dataclass(frozen=True)
class AdapterRead:
    """What is behind a link: `adapter` is None where it is no hardware."""

    at: Stamp
    ifindex: int
    adapter: Adapter | None


@dataclass(frozen=True)
class PlugRead:
    """What sits in a NIC's plug: `found` is None where it is empty."""

    at: Stamp
    connector: str
    found: UsbDevice | None


@dataclass(frozen=True)
class CountersRead:
    """The traffic counters of a link."""

    at: Stamp
    ifindex: int
    counters: Counters


@dataclass(frozen=True)
class UsbTreeRead:
    """What sits where on the USB, for people: nothing is decided by it."""

    at: Stamp
    tree: UsbTree


@dataclass(frozen=True)
class SpeedRead:
    """The speed of a link as its driver tells it; None where it does not know."""

    at: Stamp
    ifindex: int
    speed_bits: int | None


@dataclass(frozen=True)
class UplinksRead:
    """How every physical link that has somewhere to go gets there."""

    at: Stamp
    uplinks: tuple[Uplink, ...]


@dataclass(frozen=True)
class ProbeEnded:
    """Whether the target answered on the link that was asked about."""

    at: Stamp
    ifindex: int
    target: str
    answered: bool


@dataclass(frozen=True)
class NodeRead:
    """How the node fares, asked for a NIC."""

    at: Stamp
    connector: str
    found: NodeHealth


@dataclass(frozen=True)
class KernelLogRead:
    """What was new in the kernel's log, up to a sequence number; `lost` messages were overrun."""

    at: Stamp
    last_sequence: int
    lost: int
    messages: tuple[KernelMessage, ...]


@dataclass(frozen=True)
class ForgetRequested:
    """Somebody wants a NIC that is gone to be forgotten."""

    at: Stamp
    nic: str


@dataclass(frozen=True)
class PauseRequested:
    """Somebody wants nothing to be done for so long."""

    at: Stamp
    seconds: int
    reason: str


@dataclass(frozen=True)
class ResumeRequested:
    """Somebody wants steps to be taken again, also where none is left."""

    at: Stamp


@dataclass(frozen=True)
class ReadFailed:
    """A question got no answer."""

    at: Stamp
    question: Question
    reason: str
    hung: bool = False  # it was asked, and did not answer: not that nobody could be asked


@dataclass(frozen=True)
class SourceGap:
    """A source lost messages (ENOBUFS, a full queue) or was re-opened: what it knew is stale."""

    at: Stamp
    source: str
    reason: str


@dataclass(frozen=True)
class TimeReached:
    """A Wake came due."""

    at: Stamp
    topic: str


@dataclass(frozen=True)
class ActionEnded:
    """The actor's word on an action; whether it helped is decided from later facts."""

    at: Stamp
    action: Action
    outcome: ActionOutcome
    detail: str


@dataclass(frozen=True)
class StoreSpoiled:
    """The state file could not be used; where it was set aside, and why."""

    at: Stamp
    path: str
    reason: str


ConfigFile: TypeAlias = Literal["config", "web_config"]


@dataclass(frozen=True)
class ConfigRead:
    """A configuration file was read anew and holds from now on; `policy` of the main one."""

    at: Stamp
    file: ConfigFile
    path: str | None
    policy: Policy | None


@dataclass(frozen=True)
class ConfigReadFailed:
    """A configuration file was read anew and is wrong: the one that was in force stays."""

    at: Stamp
    file: ConfigFile
    path: str | None
    problems: tuple[str, ...]


@dataclass(frozen=True)
class SourceChanged:
    """A source began to fail, or delivers again."""

    at: Stamp
    source: str
    failure: str | None  # in words; None: it delivers


Fact: TypeAlias = (
    Started
    | Stopping
    | LinkSeen
    | LinkGone
    | LinksListed
    | AdapterRead
    | PlugRead
    | CountersRead
    | UsbTreeRead
    | SpeedRead
    | UplinksRead
    | ProbeEnded
    | NodeRead
    | KernelLogRead
    | ForgetRequested
    | PauseRequested
    | ResumeRequested
    | ReadFailed
    | SourceGap
    | TimeReached
    | ActionEnded
    | StoreSpoiled
    | ConfigRead
    | ConfigReadFailed
    | SourceChanged
    | GpuFact
    | CniFact
)
