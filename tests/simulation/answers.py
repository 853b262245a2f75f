"""Questions to the simulated machine: answered soon, late, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from agent.model.cni import CniRuntime
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
from agent.model.identity import NetworkService
from agent.model.outputs import (
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
)
from agent.model.outputs_of_cni import ListNetwork, ReadRequester
from agent.model.usb_tree import UsbTree
from tests.builders import SECOND_NS
from tests.simulation.kernel import Kernel

GATEWAYS = {1: "192.168.77.1", 2: "192.168.78.1"}  # by plug
SERVER = "192.168.77.10"  # of k3s, behind the same switch
SPEED_SECONDS = 4.0  # the deadline of a reading of the speed
HUNG_SECONDS = 5.0  # a control transfer that nobody answers
LATE_SECONDS = (1.0, 12.0)


class Answers:
    """One at a time it answers nothing: each question has its own delay."""

    def __init__(self, kernel: Kernel, gateways: dict[int, str]) -> None:
        self._kernel, self._random = kernel, kernel.random
        self.gateways = gateways
        self.failing = self.late = 0.0  # the part of all questions
        self.server: str | None = None  # as k3s's configuration names it
        self.manages: NetworkService | None = None
        self._speed_hangs_until_ns = 0

    def ask(self, question: Question, deliver: Callable[[Fact], None]) -> None:
        """The answer is as of when it is delivered, or for a listing as of a moment before."""
        dice = self._random.random()
        seconds = self._random.uniform(0.001, 0.05)
        # What is asked before a step is asked seldom: it fails more often than the rest.
        failing = 4 * self.failing if isinstance(question, ReadPlug) else self.failing
        if dice < failing:
            self._later(seconds, lambda: self._fail(question, "the dice want it", deliver))
            return
        if dice < failing + self.late:
            seconds = self._random.uniform(*LATE_SECONDS)
        match question:
            case ListLinks(number):
                self._later(seconds, lambda: self._list(number, deliver))
            case Probe():
                self._later(seconds, lambda: self._probe(question, deliver))
            case ReadSpeed():
                self._speed(question, seconds, deliver)
            case _:
                self._later(seconds, lambda: deliver(self._read(question)))

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        self._kernel.timeline.after(seconds, do)

    def _fail(self, question: Question, why: str, deliver: Callable[[Fact], None]) -> None:
        deliver(ReadFailed(self._kernel.now(), question, why))

    def _list(self, number: int, deliver: Callable[[Fact], None]) -> None:
        links = tuple(nic.link() for nic in self._kernel.nics.values() if nic.ifindex is not None)
        seconds = self._random.uniform(0, 0.05)
        self._later(seconds, lambda: deliver(LinksListed(self._kernel.now(), number, links)))

    def _probe(self, question: Probe, deliver: Callable[[Fact], None]) -> None:
        nic = self._kernel.by_ifindex(question.ifindex)
        if nic is None:
            self._fail(question, "there is no such link", deliver)
            return
        is_gateway = question.target == self.gateways.get(nic.plug)
        there = self._kernel.gateway if is_gateway else self._is_server(question.target)
        answers = there and self._kernel.switch and nic.passes_packets()
        seconds = 0.001 if answers else question.timeout_ns / SECOND_NS
        self._later(
            seconds,
            lambda: deliver(
                ProbeEnded(self._kernel.now(), question.ifindex, question.target, answers)
            ),
        )

    def _is_server(self, target: str) -> bool:
        return target == self.server and self._kernel.server

    def _speed(self, question: ReadSpeed, seconds: float, deliver: Callable[[Fact], None]) -> None:
        """One reading at a time; with a hung device it hangs in the kernel beyond its deadline."""
        now_ns = self._kernel.timeline.now_ns
        nic = self._kernel.by_ifindex(question.ifindex)
        if now_ns < self._speed_hangs_until_ns:
            words = "an earlier reading of a speed still hangs in the kernel"
            self._later(seconds, lambda: self._fail(question, words, deliver))
        elif nic is not None and nic.registers_dead:
            hangs = self._random.choice((0, HUNG_SECONDS, 4 * HUNG_SECONDS))
            self._speed_hangs_until_ns = now_ns + int(hangs * SECOND_NS)
            words = f"no answer within {SPEED_SECONDS:.0f} s"
            self._later(
                SPEED_SECONDS,
                lambda: deliver(ReadFailed(self._kernel.now(), question, words, hung=True)),
            )
        else:
            self._later(seconds, lambda: deliver(self._read(question)))

    def _read(self, question: Question) -> Fact:
        now, nics = self._kernel.now(), self._kernel.nics
        match question:
            case ReadPlug(connector):
                return PlugRead(now, connector, nics[connector].usb_device())
            case ReadNode(connector):
                return NodeRead(now, connector, self._kernel.node.health(nics[connector]))
            case ListNetwork(number):  # no CNI is at work here: tests/simulation/network.py
                return NetworkListed(now, number, (), ())
            case ReadRequester(port):
                return RequesterRead(now, port, None, CniRuntime())
            case ReadUsbTree():
                return UsbTreeRead(now, UsbTree((), ()))
            case ReadUplinks():
                uplinks = (
                    nic.uplink(self.gateways.get(nic.plug), self.server, self.manages)
                    for nic in nics.values()
                )
                return UplinksRead(now, tuple(uplink for uplink in uplinks if uplink))
            case ReadAdapter(ifindex) | ReadCounters(ifindex) | ReadSpeed(ifindex):
                nic = self._kernel.by_ifindex(ifindex)
                if nic is None:
                    return ReadFailed(now, question, "there is no such link")
                if isinstance(question, ReadAdapter):
                    return AdapterRead(now, ifindex, nic.adapter())
                if isinstance(question, ReadCounters):
                    return CountersRead(now, ifindex, nic.counters())
                return SpeedRead(now, ifindex, self._speed_of(nic.carrier, up=nic.admin_up))
            case _:
                raise AssertionError(f"nobody answers {question}")

    def _speed_of(self, carrier: bool, *, up: bool) -> int | None:
        if not up:
            return None
        return 2_500_000_000 if carrier else 10_000_000  # r8152 says so of a dead link
