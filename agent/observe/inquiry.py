"""Answers questions (Ask) in worker threads, each question with a deadline.

A kernel that holds RTNL blocks the asker inside send(), where no timeout reaches: then the
deadline passes, the loop is told so, and the thread is left to come back by itself. It is never
multiplied: a second asker would hang on the same lock. What hangs for one reason must not hold
up what hangs for another: each kind has its lane.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.background import Background
from agent.model.cni import Requester
from agent.model.facts import (
    AdapterRead,
    CountersRead,
    Fact,
    LinksListed,
    NodeRead,
    PlugRead,
    ProbeEnded,
    ReadFailed,
    SpeedRead,
    UplinksRead,
    UsbTreeRead,
)
from agent.model.facts_of_cni import NetworkListed, RequesterRead
from agent.model.outputs import (
    FollowKernelLog,
    ListLinks,
    Probe,
    Question,
    ReadAdapter,
    ReadCounters,
    ReadNode,
    ReadPlug,
    ReadSpeed,
    ReadUplinks,
    ReadUsbTree,
    ReopenLinkEvents,
)
from agent.model.outputs_of_cni import ListNetwork, ReadRequester
from agent.observe import arp, clock, hardware, node, plug, rtnetlink, uplinks
from agent.observe.cni_runtime import read_runtime
from agent.observe.meddlers import infer
from agent.observe.network import list_network
from agent.observe.requester import Requesters
from agent.observe.speed import SpeedReader
from agent.observe.usb_tree import read_usb_tree

DEADLINE_SECONDS = 10.0
QUESTIONS_MAX = 64
_SECOND_NS = 1_000_000_000

# Who waits for what: the RTNL lock, nothing (sysfs and /proc), the network, the hardware, Cilium.
_LANES: dict[type, str] = {
    ListLinks: "rtnl",
    ListNetwork: "network",
    ReadRequester: "requester",
    ReadAdapter: "sysfs",
    ReadPlug: "sysfs",
    ReadCounters: "sysfs",
    ReadUplinks: "sysfs",
    ReadUsbTree: "usb_tree",  # for the record alone: no step waits behind it
    Probe: "probe",
    ReadSpeed: "speed",
    ReadNode: "node",
}


class _Lane:
    """One thread, and the question that it is at."""

    def __init__(self, name: str, answer: Callable[[Question], None]) -> None:
        self.current: Question | None = None
        self.given_up: Question | None = None
        self._answer = answer
        self.worker = Background(f"inquiry-{name}", self._handle, QUESTIONS_MAX)

    def _handle(self, question: Question) -> None:
        self.current = question
        try:
            self._answer(question)
        finally:
            self.current = None


class Inquiry:
    """Takes questions; delivers each answer, or ReadFailed, as a fact from its own threads."""

    def __init__(self, deliver: Callable[[Fact], None], root: Path = Path("/")) -> None:
        """`deliver` must be safe to call from another thread."""
        self._deliver = deliver
        self._root = root
        self._speed = SpeedReader()
        self._requesters = Requesters(root)
        self._lanes: dict[str, _Lane] = {}  # each from its first question on

    def ask(self, question: Question) -> None:
        """Queue a question; a full queue is an answer, too."""
        name = _LANES[type(question)]
        if name not in self._lanes:
            self._lanes[name] = _Lane(name, self._answer)
        if not self._lanes[name].worker.offer(question):
            reason = f"{QUESTIONS_MAX} questions are waiting already"
            self._deliver(ReadFailed(clock.now(), question, reason))

    def check_deadline(self) -> str | None:
        """Give up on overdue questions, each once; words about one that hangs, if any."""
        words = None
        for name, lane in self._lanes.items():
            question = lane.current
            if question is None or lane.worker.busy_seconds() < DEADLINE_SECONDS:
                continue
            overdue = f"no answer within {DEADLINE_SECONDS:.0f} s ({name}): the kernel holds a lock"
            if lane.given_up is not question:
                lane.given_up = question
                self._deliver(ReadFailed(clock.now(), question, overdue))
            # The first is for people alone, and waits for the lock of the device that hangs; the
            # second waits for other processes: what is asked then is let be, and said to be.
            if not isinstance(question, ReadUsbTree | ReadRequester):
                words = overdue
        return words

    def close(self) -> None:
        """End the workers; one that hangs is left behind."""
        for lane in self._lanes.values():
            lane.worker.close(deadline_seconds=0.2)

    def _answer(self, question: Question) -> None:
        try:
            fact = self._read(question)
        except TimeoutError as error:
            fact = ReadFailed(clock.now(), question, str(error), hung=True)
        except Exception as error:  # noqa: BLE001  every question is answered, whatever happens
            fact = ReadFailed(clock.now(), question, str(error) or repr(error))
        self._deliver(fact)

    def _read(self, question: Question) -> Fact:
        sysfs = self._root / "sys"
        match question:
            case ListLinks(number):
                links = rtnetlink.list_links(DEADLINE_SECONDS)
                physical = tuple(link for link in links if link.physical)
                return LinksListed(clock.now(), number, physical)
            case ReadAdapter(ifindex, device):
                adapter = hardware.read_adapter(ifindex, device, sysfs)
                return AdapterRead(clock.now(), ifindex, adapter)
            case ReadPlug(connector, usb_path, companion_path):
                found = plug.read_plug(usb_path, companion_path, sysfs)
                return PlugRead(clock.now(), connector, found)
            case ReadCounters(ifindex, device):
                counters = hardware.read_counters(ifindex, device, sysfs)
                return CountersRead(clock.now(), ifindex, counters)
            case ReadUsbTree():
                return UsbTreeRead(clock.now(), read_usb_tree(sysfs))
            case ReadUplinks():
                return UplinksRead(clock.now(), uplinks.read_uplinks(self._root))
            case ReadSpeed(ifindex, device):
                return SpeedRead(clock.now(), ifindex, self._speed.read(device, sysfs))
            case Probe(ifindex, device, target, timeout_ns):
                answered = arp.answers(device, target, timeout_ns / _SECOND_NS)
                return ProbeEnded(clock.now(), ifindex, target, answered)
            case ReadNode(connector):
                return NodeRead(clock.now(), connector, node.read_node(self._root))
            case ListNetwork() | ReadRequester():
                return self._read_network(question)
            case FollowKernelLog() | ReopenLinkEvents():
                raise ValueError("a source of its own, which the loop asks itself")

    def _read_network(self, question: ListNetwork | ReadRequester) -> Fact:
        if isinstance(question, ListNetwork):
            listed = list_network(DEADLINE_SECONDS)
            return NetworkListed(clock.now(), question.number, *listed)
        found = self._requester(question.port)
        # Where it is known who it was, nobody need wait for a look at every process.
        runtime = read_runtime(() if found is not None else question.owners, self._root)
        return RequesterRead(clock.now(), question.port, found, runtime)

    def _requester(self, port: int) -> Requester | None:
        if port < 0:
            return infer(-port, self._root)
        if port:
            return self._requesters.find(port)
        self._requesters.prepare()
        return None
