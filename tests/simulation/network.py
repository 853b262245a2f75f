"""A host's network as the kernel keeps it, with those who change it: for the CNI's decisions.

What the kernel does by itself is as it is (net/ipv4/fib_frontend.c): with the last address of a
device, or when it is set down, its IPv4 routes go without a word.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from agent.decide import decide
from agent.model.cni import (
    CniRuntime,
    Entry,
    EntryChange,
    FilterChange,
    HostLink,
    Requester,
)
from agent.model.facts import Fact, SourceGap, Started, TimeReached
from agent.model.facts_of_cni import (
    Attempt,
    EntriesPutBack,
    NetworkChanged,
    NetworkListed,
    RequesterRead,
)
from agent.model.identity import Stamp
from agent.model.outputs import Act, Ask, Output, Tell, Wake
from agent.model.outputs_of_cni import ListNetwork, PutBack, ReadRequester
from agent.model.policy import Policy
from agent.model.state import State
from agent.model.verdicts import Verdict

SECOND_NS = 1_000_000_000
UPLINK, CILIUM_HOST, POD = 2, 5, 9
LINKS = {
    UPLINK: HostLink(UPLINK, "enp2s0", is_up=True),
    CILIUM_HOST: HostLink(CILIUM_HOST, "cilium_host", True, "02:00:00:00:00:05", 1450, 0, 0),
    POD: HostLink(POD, "lxc1a2b", True, "02:00:00:00:00:09", 1450, 0, 0),
}
KERNEL, BOOT = 2, 3


def rule(priority: int, table: int, protocol: int = 0) -> Entry:
    words = f"{priority}: from all lookup {table}"
    return Entry(
        *("rule", words.encode().hex(), 2, words),
        table=table,
        priority=priority,
        protocol=protocol,
        looks_up=True,
    )


def route(
    destination: str, ifindex: int, gateway: str = "", protocol: int = KERNEL, metric: int = 0
) -> Entry:
    words = f"{destination} via {gateway}" if gateway else destination
    return Entry(
        *("route", f"{words} {ifindex} {protocol} {metric}".encode().hex(), 2, words),
        table=254,
        protocol=protocol,
        destination=destination,
        gateway=gateway,
        ifindex=ifindex,
        priority=metric,
    )


def address(network: str, ifindex: int) -> Entry:
    return Entry(
        *("address", f"{network} {ifindex}".encode().hex(), 2, network),
        destination=network,
        ifindex=ifindex,
    )


LOCAL = rule(0, 255, KERNEL)
FROM_PROXY, TO_PROXY = rule(9, 2004), rule(10, 2005, KERNEL)
UPLINKS_OWN = address("192.168.1.5/24", UPLINK)
TO_OTHER_NODE = route("10.42.1.0/24", UPLINK, "192.168.1.6")
TO_PODS = route("10.42.0.0/24", CILIUM_HOST, "10.42.0.7")
HOST_ADDRESS = address("10.42.0.7/32", CILIUM_HOST)
TO_A_POD = route("10.42.0.33/32", POD)
BASELINE = (
    *(LOCAL, FROM_PROXY, TO_PROXY, UPLINKS_OWN, HOST_ADDRESS),
    *(TO_OTHER_NODE, TO_PODS, TO_A_POD),
)

AGENT = Requester(4711, "cilium-agent", "", "0b5c-pod")
NETWORKD = Requester(612, "systemd-network", "systemd-networkd.service")
UDEV = Requester(0, "systemd-udevd", "systemd-udevd.service")
SHELL = Requester(9000, "ip", "session-3.scope")
# The last has ended: `ip`. One of the agent's is open for one request alone, another one was open
# beside it and has a number that is no process's.
PORTS = {101: AGENT, 202: NETWORKD, 303: SHELL, 404: None}
AGENTS_NUMBER, AGENTS_OTHER = 1, 4_294_963_000
OURS = 505


@dataclass
class Network:
    """The kernel, those who act on it, and the decisions."""

    policy: Policy = field(default_factory=lambda: Policy(mode="remediate"))
    runtime: CniRuntime = field(
        default_factory=lambda: CniRuntime(
            is_active=True, owner_seconds={"cilium-agent": 3600}, owner_ports=(AGENTS_NUMBER,)
        )
    )
    now_ns: int = 1000 * SECOND_NS
    entries: dict[str, Entry] = field(default_factory=dict)
    links: dict[int, HostLink] = field(default_factory=lambda: dict(LINKS))
    state: State = field(default_factory=State)
    told: list[Verdict] = field(default_factory=list)
    questions: list[ListNetwork | ReadRequester] = field(default_factory=list)
    actions: list[PutBack] = field(default_factory=list)
    wakes: dict[str, int] = field(default_factory=dict)
    meddlers: dict[int, Requester] = field(default_factory=dict)  # who has a link in its hands
    unheard: list[Fact] = field(default_factory=list)  # sent by the kernel, not yet taken in
    answers: bool = True  # questions are answered at once

    def begin(self, *entries: Entry) -> None:
        """The daemon starts, and all of this stands for a while."""
        self.entries = {entry.payload: entry for entry in entries or BASELINE}
        self.take(Started(self.at(), "0.1.0", "boot", None, ()))
        self.settle()
        self.wait(10)

    def at(self) -> Stamp:
        return Stamp(self.now_ns, self.now_ns)

    def take(self, fact: Fact) -> None:
        self.state, outputs = decide(self.state, fact, self.policy)
        for output in outputs:
            self._note(output)

    def _note(self, output: Output) -> None:
        match output:
            case Tell(verdict):
                self.told.append(verdict)
            case Ask(ListNetwork() | ReadRequester() as question):
                self.questions.append(question)
            case Act(PutBack() as action):
                self.actions.append(action)
            case Wake(at_ns, topic) if topic.startswith("cni"):
                self.wakes[topic] = at_ns

    # --- what is done to it ---------------------------------------------------------------------

    def remove(self, port: int, *entries: Entry) -> None:
        """Somebody deletes entries."""
        self._tell(port, *((entry, False) for entry in entries if self._drop(entry)))
        for entry in entries:
            if entry.kind == "address":
                self._flush_without(entry.ifindex)

    def add(self, port: int, *entries: Entry) -> None:
        """Somebody makes entries."""
        new = [entry for entry in entries if entry.payload not in self.entries]
        self.entries.update({entry.payload: entry for entry in new})
        self._tell(port, *((entry, True) for entry in new))

    def set_link(self, ifindex: int, *, up: bool) -> None:
        """Its routes go with it, and no message says so."""
        self.links[ifindex] = replace(self.links[ifindex], is_up=up)
        if not up:
            self._flush(ifindex)
        self._tell_link(ifindex)

    def _tell_link(self, ifindex: int) -> None:
        link = self.links[ifindex]
        downs = () if link.is_up else (ifindex,)
        self.hear(NetworkChanged(self.at(), (), (link,), (), (), downs))

    def change_link(self, ifindex: int, **values: Any) -> None:
        """Somebody makes it another than it was; the kernel does not say who."""
        self.links[ifindex] = replace(self.links[ifindex], **values)
        self._tell_link(ifindex)

    def write_rp_filter(self, ifindex: int, rp_filter: int) -> None:
        """As systemd-sysctl does."""
        self.links[ifindex] = replace(self.links[ifindex], rp_filter=rp_filter)
        self.hear(NetworkChanged(self.at(), (), (), (), (FilterChange(ifindex, rp_filter),)))

    def add_link(self, link: HostLink) -> None:
        self.links[link.ifindex] = link
        self.hear(NetworkChanged(self.at(), (), (link,)))

    def remove_link(self, ifindex: int) -> None:
        """As when a pod ends."""
        del self.links[ifindex]
        gone = [entry for entry in self.entries.values() if entry.ifindex == ifindex]
        addresses = [entry for entry in gone if entry.kind == "address"]
        for entry in gone:
            self._drop(entry)
        changes = tuple(EntryChange(entry, False, 0) for entry in addresses)
        self.hear(NetworkChanged(self.at(), changes, (), (ifindex,)))

    def lose_events(self) -> None:
        """What was sent and not yet read is lost (ENOBUFS)."""
        self.unheard.clear()
        self.take(SourceGap(self.at(), "network", "ENOBUFS"))

    def hear(self, *facts: Fact) -> None:
        self.unheard += facts

    # --- time -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Until nothing is under way: events first, then answers, as the loop does."""
        for _ in range(1000):
            if self.unheard:
                self.take(self.unheard.pop(0))
            elif self.actions:
                self._carry_out(self.actions.pop(0))
            elif self.questions and self.answers:
                self._answer(self.questions.pop(0))
            else:
                return
        raise AssertionError("it does not come to rest")

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due come."""
        self.settle()
        end_ns = self.now_ns + int(seconds * SECOND_NS)
        while due := [ns for ns in self.wakes.values() if ns <= end_ns]:
            self.now_ns = max(self.now_ns, min(due))
            for topic in [t for t, ns in self.wakes.items() if ns <= self.now_ns]:
                del self.wakes[topic]
                self.take(TimeReached(self.at(), topic))
            self.settle()
        self.now_ns = end_ns

    def has(self, entry: Entry) -> bool:
        return entry.payload in self.entries

    # --- the kernel -----------------------------------------------------------------------------

    def _answer(self, question: ListNetwork | ReadRequester) -> None:
        if isinstance(question, ListNetwork):
            entries, links = tuple(self.entries.values()), tuple(self.links.values())
            self.take(NetworkListed(self.at(), question.number, entries, links))
        else:
            port = question.port
            found = PORTS.get(port) if port >= 0 else self.meddlers.get(-port)
            self.take(RequesterRead(self.at(), question.port, found, self.runtime))

    def _carry_out(self, action: PutBack) -> None:
        attempts = []
        for entry in action.entries:
            failure = self._refusal(entry)
            if entry.device:
                self._set_link(entry)
            elif not failure:
                self.add(OURS, entry)
            attempts.append(Attempt(entry.payload, failure, waits=bool(failure)))
        self.hear(EntriesPutBack(self.at(), action.number, tuple(attempts)))

    def _refusal(self, entry: Entry) -> str:
        if not entry.ifindex or entry.device:
            return ""
        link = self.links.get(entry.ifindex)
        if link is None:
            return "No such device"
        if entry.kind == "address":
            return ""
        if not link.is_up:
            return "Network is down"
        has_address = any(
            known.kind == "address" and known.ifindex == entry.ifindex
            for known in self.entries.values()
        )
        return "" if has_address or not entry.gateway else "Network is unreachable"

    def _set_link(self, entry: Entry) -> None:
        number = {"mtu": "mtu", "master": "master", "sysctl": "rp_filter"}
        words = {"mac": "mac", "name": "name"}
        if entry.kind == "admin_down":
            self.set_link(entry.ifindex, up=entry.value == "up")
        elif entry.kind in number:
            self.change_link(entry.ifindex, **{number[entry.kind]: int(entry.value)})
        else:
            self.change_link(entry.ifindex, **{words[entry.kind]: entry.value})

    def _drop(self, entry: Entry) -> bool:
        return self.entries.pop(entry.payload, None) is not None

    def _tell(self, port: int, *changes: tuple[Entry, bool]) -> None:
        found = tuple(EntryChange(entry, is_there, port) for entry, is_there in changes)
        if found:
            self.hear(NetworkChanged(self.at(), found))

    def _flush_without(self, ifindex: int) -> None:
        left = [e for e in self.entries.values() if e.kind == "address" and e.ifindex == ifindex]
        if not left:
            self._flush(ifindex)

    def _flush(self, ifindex: int) -> None:
        for entry in list(self.entries.values()):
            if entry.kind == "route" and entry.ifindex == ifindex:
                self._drop(entry)
