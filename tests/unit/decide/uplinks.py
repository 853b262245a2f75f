"""A node whose USB NIC is its uplink, and the facts that befall it."""

from __future__ import annotations

from dataclasses import replace

from agent.model.facts import (
    CountersRead,
    Fact,
    KernelLogRead,
    LinkSeen,
    ProbeEnded,
    SpeedRead,
    TimeReached,
)
from agent.model.identity import Counters, Link, Uplink
from agent.model.kernel_log import KernelClass, KernelMessage
from agent.model.policy import NicMatch, Policy
from agent.model.state import Durable, Nic
from agent.model.verdicts import Verdict
from tests.builders import CONNECTOR, LINK, Node

GATEWAY = "192.168.77.1"
POLICY = Policy(match=(NicMatch(name="uplink", driver="r8152"),), expect_speed_bits=2_500_000_000)
STILL = Counters(rx_packets=1000, tx_packets=1000, rx_errors=0, tx_errors=0, tx_timeouts=0)


class UplinkNode(Node):
    """Takes what befalls the one NIC that there is, and keeps all that was told."""

    def __init__(self) -> None:
        super().__init__(POLICY)
        self.sequence = 100
        self.told: list[Verdict] = []

    @property
    def nic(self) -> Nic:
        return self.state.nics[CONNECTOR]

    @property
    def health(self) -> str | None:
        return self.nic.senses.health.state if self.nic.senses.health else None

    @property
    def evidence(self) -> str:
        return "; ".join(self.nic.senses.health.evidence) if self.nic.senses.health else ""

    def take(self, fact: Fact) -> list[Verdict]:
        told = super().take(fact)
        self.told += told
        return told

    def see(self, link: Link) -> list[Verdict]:
        return self.take(LinkSeen(self.at(), link))

    def log(self, *classes: KernelClass, subject: str = "usb:2-1") -> list[Verdict]:
        """The kernel says one thing after the other, all read at once."""
        messages = []
        for name in classes:
            self.sequence += 1
            at_ns = self.at().boottime_ns
            messages.append(KernelMessage(name, subject, 1, self.sequence, at_ns, f"says {name}"))
        return self.take(KernelLogRead(self.at(), self.sequence, 0, tuple(messages)))

    def probe(self, *, answered: bool, rx_packets: int | None = None) -> list[Verdict]:
        told = self.take(ProbeEnded(self.at(), LINK.ifindex, GATEWAY, answered))
        return told if answered else [*told, *self.count(rx_packets=rx_packets or 1000)]

    def count(self, **counters: int) -> list[Verdict]:
        return self.take(CountersRead(self.at(), LINK.ifindex, replace(STILL, **counters)))

    def pass_time(self, seconds: int) -> list[Verdict]:
        """Each fact takes a second here; what is due comes due."""
        for _ in range(seconds - 1):
            self.at()
        return self.take(TimeReached(self.at(), "probe"))


def stranger(
    restored: Durable | None = None,
    boot_id: str = "boot-1",
    link: Link = LINK,
    *,
    log: bool = True,
) -> UplinkNode:
    """A node whose first look is complete, and whose gateway was not asked yet."""
    node = UplinkNode()
    node.start(restored, boot_id)
    node.list_links(link)
    node.read_adapter(link)
    node.read_uplinks(Uplink(link.ifindex, link.device, GATEWAY, default_route=True))
    if log:
        node.log()
    return node


def uplink_node() -> UplinkNode:
    """Its speed and counters are known, and its gateway has answered."""
    node = stranger()
    node.take(SpeedRead(node.at(), LINK.ifindex, 2_500_000_000))
    node.count()
    node.probe(answered=True)
    return node
