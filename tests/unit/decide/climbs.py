"""A climb at one moment: the state, the times that were asked for, the action with the actor.

What befalls it is told in the facts that the daemon would give, so that health, reachability and
the ladder are the real ones. Each fact is looked at by the rules (ladder_rules.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agent.decide import decide
from agent.keeper import durable_of
from agent.model.actions import Action, RaiseLink
from agent.model.facts import (
    AdapterRead,
    ConfigRead,
    CountersRead,
    Fact,
    KernelLogRead,
    LinkGone,
    LinkSeen,
    LinksListed,
    ProbeEnded,
    SpeedRead,
    Started,
    TimeReached,
    UplinksRead,
)
from agent.model.identity import Adapter, Link, Stamp, Uplink
from agent.model.kernel_log import KernelClass, KernelMessage
from agent.model.outputs import Output, Wake
from agent.model.policy import (
    FAULT_KINDS,
    BudgetPolicy,
    NicMatch,
    Policy,
    RemediationPolicy,
)
from agent.model.state import Durable, Nic, State
from tests.builders import ADAPTER, LINK, SECOND_NS, WALL_BASE_NS, actions_of
from tests.unit.decide.uplinks import GATEWAY, STILL

SECOND_PLUG = replace(
    ADAPTER,
    connector="pci-0000:00:14.0-usb-0:2",
    usb_path="2-2",
    companion_path="1-2",
    interface="2-2:1.0",
)
SERVER = "192.168.77.10"  # the k3s server
POLICY = Policy(
    mode="remediate",
    match=(NicMatch(name="uplink", vendor_id="0bda"),),
    expect_speed_bits=2_500_000_000,
    remediation=RemediationPolicy(
        act_on=FAULT_KINDS, budget=BudgetPolicy(steps=60, within_ns=3600 * SECOND_NS)
    ),
)

Rules = Callable[["Climbing", State, Fact, tuple[Output, ...]], None]


@dataclass(frozen=True)
class Ledger:
    """What the rules remember of what was begun, beside decide's own books."""

    steps_ns: tuple[int, ...] = ()  # by this adapter, less those that were refused
    of_outage: tuple[str, ...] = ()  # since the carrier was lost, for want of it
    of_silence: tuple[str, ...] = ()  # since the silence began, for it alone
    of_climb: tuple[tuple[str, str, str], ...] = ()  # fault, plug, step
    answers: tuple[str, ...] = ()  # since the NIC was asked about
    is_answered: bool = False  # by whoever shows it, since the latest action ended


@dataclass
class Climbing:
    """One NIC that is the uplink of its node."""

    rules: Rules
    policy: Policy = POLICY
    state: State = field(default_factory=State)
    now_ns: int = 1000 * SECOND_NS
    wakes: dict[str, int] = field(default_factory=dict)
    action: Action | None = None  # with the actor
    link: Link = LINK  # the truth, as far as the kernel tells it
    adapter: Adapter = ADAPTER
    is_there: bool = True
    boot_id: str = "boot-1"
    is_restored: bool = True  # no time was asked for yet: the rounds of probes look at it
    sequence: int = 100
    ledger: Ledger = field(default_factory=Ledger)

    def copy(self) -> Climbing:
        return replace(self, wakes=dict(self.wakes))

    @property
    def at(self) -> Stamp:
        return Stamp(self.now_ns, WALL_BASE_NS + self.now_ns)

    @property
    def nic(self) -> Nic:
        (nic,) = self.state.nics.values()
        return nic

    @property
    def phase(self) -> str | None:
        return self.nic.climb.phase if self.nic.climb else None

    @property
    def awaits(self) -> tuple[str, ...]:
        climb = self.nic.climb
        return climb.awaits if climb and climb.phase == "probing" else ()

    def take(self, fact: Fact) -> None:
        before = self.state
        self.state, outputs = decide(before, fact, self.policy)
        if isinstance(fact, ConfigRead) and fact.policy is not None:
            self.policy = fact.policy
        for output in outputs:
            if isinstance(output, Wake) and output.topic.startswith("climb:"):
                self.wakes[output.topic] = output.at_boottime_ns
                self.is_restored = False
        for action in actions_of(outputs):
            self.action = self.action if _is_raise(action) else action
        self.rules(self, before, fact, outputs)

    # --- what the daemon hears ----------------------------------------------------------------

    def see(self, link: Link) -> None:
        self.link = link
        self.take(LinkSeen(self.at, link))

    def read(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.take(AdapterRead(self.at, self.link.ifindex, adapter))

    def routes(
        self, *, addressed: bool = True, routed: bool = True, given_up: bool = False
    ) -> None:
        uplink = replace(self.uplink(addressed=addressed), given_up=given_up)
        if not routed:
            uplink = replace(uplink, gateway=None, default_route=False)
        self.take(UplinksRead(self.at, (uplink,)))

    def uplink(self, *, addressed: bool = True) -> Uplink:
        gateway = GATEWAY if addressed else None
        ifindex, device = self.link.ifindex, self.link.device
        return Uplink(ifindex, device, gateway, addressed, SERVER, addressed, "networkd")

    def log(self, *names: KernelClass) -> None:
        messages = []
        for name in names:
            self.sequence += 1
            subject, at_ns = f"usb:{self.adapter.usb_path}", self.now_ns
            messages.append(KernelMessage(name, subject, 1, self.sequence, at_ns, name))
        self.take(KernelLogRead(self.at, self.sequence, 0, tuple(messages)))

    def count(self, **counters: int) -> None:
        self.take(CountersRead(self.at, self.link.ifindex, replace(STILL, **counters)))

    def probed(self, target: str, *, answered: bool) -> None:
        self.take(ProbeEnded(self.at, self.link.ifindex, target, answered))

    def pass_seconds(self, seconds: int) -> None:
        """Nothing is due meanwhile; at the end the daemon looks around."""
        self.now_ns += seconds * SECOND_NS
        self.take(TimeReached(self.at, "other"))

    # --- its life -----------------------------------------------------------------------------

    def begin(self, durable: Durable | None = None) -> None:
        """A start, and the first look."""
        self.wakes, self.action, self.is_restored = {}, None, True
        self.take(Started(self.at, "1.2.3", self.boot_id, durable, ()))
        links = (self.link,) if self.is_there else ()
        self.take(LinksListed(self.at, self.state.listing_asked, links))
        if self.is_there:
            self.read(self.adapter)
        self.take(UplinksRead(self.at, (self.uplink(),) if self.is_there else ()))
        self.log()

    def restart(self, *, undone: bool = False, rebooted: bool = False) -> None:
        """Killed, alone or with the machine; `undone`: the unit took back what was cut off."""
        if undone:
            nics = {
                connector: replace(nic, step=None) if nic.step and nic.step.inverse else nic
                for connector, nic in self.state.nics.items()
            }
            self.state = replace(self.state, nics=nics)
        if rebooted:
            self.boot_id = "boot-2" if self.boot_id == "boot-1" else "boot-1"
        # As after an orderly end: three kills within ten minutes would make it observe.
        self.begin(replace(durable_of(self.state), ended=True))

    def depart(self) -> None:
        self.is_there = False
        self.take(LinkGone(self.at, self.link.ifindex, self.link.device))

    def arrive(self, *, up: bool = True, mac: str | None = None, moved: bool = False) -> None:
        """A network interface that was made anew: of this adapter or another, here or elsewhere."""
        if self.is_there:
            self.depart()
        self.is_there = True
        mac = mac or self.link.mac
        anew = replace(
            LINK,
            ifindex=self.link.ifindex + 1,
            mac=mac,
            permanent_mac=mac,
            admin_up=up,
            carrier=up,
            carrier_up_count=int(up),
        )
        self.see(anew)
        was_first = self.adapter.usb_path == ADAPTER.usb_path
        plug = ADAPTER if was_first is not moved else SECOND_PLUG
        self.read(replace(plug, device_number=self.adapter.device_number + 1))
        if up:
            self.routes()


def healthy(rules: Rules, policy: Policy = POLICY) -> Climbing:
    """Its speed and its counters are known; the gateway and the k3s server have answered."""
    point = Climbing(rules, policy)
    point.begin()
    point.take(SpeedRead(point.at, LINK.ifindex, 2_500_000_000))
    point.count()
    point.take(TimeReached(point.at, "probe"))
    for target in (GATEWAY, SERVER):
        point.probed(target, answered=True)
    point.pass_seconds(100)
    return point


def _is_raise(action: Action) -> bool:
    return isinstance(action, RaiseLink) and not action.action_id.startswith("undo-")
