"""Small makers of model values, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from agent.decide import decide
from agent.model.actions import Action
from agent.model.facts import AdapterRead, ConfigRead, Fact, LinksListed, Started, UplinksRead
from agent.model.identity import Adapter, Link, Stamp, Uplink
from agent.model.outputs import Act, Ask, Output, Question, Tell
from agent.model.outputs_of_cni import ListNetwork, PutBack, ReadRequester
from agent.model.policy import Policy
from agent.model.state import Durable, State
from agent.model.verdicts import Verdict

SECOND_NS = 1_000_000_000
WALL_BASE_NS = 1_700_000_000 * SECOND_NS
CONNECTOR = "pci-0000:00:14.0-usb-0:1"

LINK = Link(
    ifindex=3,
    device="enx6c1ff71be8c8",
    mac="6c:1f:f7:1b:e8:c8",
    permanent_mac="6c:1f:f7:1b:e8:c8",
    admin_up=True,
    carrier=True,
    carrier_up_count=1,
    carrier_down_count=0,
    physical=True,
)
ADAPTER = Adapter(
    connector=CONNECTOR,
    bus="usb",
    driver="r8152",
    vendor_id="0bda",
    product_id="8156",
    mac_assignment=0,
    usb_path="2-1",
    companion_path="1-1",
    device_number=2,
    usb_speed_bits=5_000_000_000,
    power_control="on",
    lpm_permit="0",
    interface="2-1:1.0",
)

VIRTIO = Adapter(
    connector="pci-0000:00:02.0",
    bus="virtio",
    driver="virtio_net",
    vendor_id="1af4",
    product_id="0001",
    mac_assignment=0,
)


def actions_of(outputs: Iterable[Output]) -> list[Action]:
    """The actions on devices among these outputs."""
    acts = (output.action for output in outputs if isinstance(output, Act))
    return [action for action in acts if not isinstance(action, PutBack)]


class Node:
    """A state with a clock that moves one second per fact; it keeps the latest outputs."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.state = State()
        self.outputs: tuple[Output, ...] = ()
        self.verdicts: list[Verdict] = []  # by the latest fact
        self._seconds = count(1)

    def at(self) -> Stamp:
        now_ns = next(self._seconds) * SECOND_NS
        return Stamp(now_ns, WALL_BASE_NS + now_ns)

    def take(self, fact: Fact) -> list[Verdict]:
        """Decide on a fact; the verdicts told."""
        self.state, self.outputs = decide(self.state, fact, self.policy)
        if isinstance(fact, ConfigRead) and fact.policy is not None:
            self.policy = fact.policy
        self.verdicts = [output.verdict for output in self.outputs if isinstance(output, Tell)]
        return self.verdicts

    def asked(self) -> list[Question]:
        """Of NICs: what the CNI's machine asks has its own tests (tests/simulation/network.py)."""
        asked = (output.question for output in self.outputs if isinstance(output, Ask))
        return [each for each in asked if not isinstance(each, ListNetwork | ReadRequester)]

    def start(self, restored: Durable | None = None, boot_id: str = "boot-1") -> list[Verdict]:
        return self.take(Started(self.at(), "1.2.3", boot_id, restored, ()))

    def list_links(self, *links: Link) -> list[Verdict]:
        """Answer the newest listing asked for."""
        return self.take(LinksListed(self.at(), self.state.listing_asked, links))

    def read_adapter(self, link: Link = LINK, adapter: Adapter | None = ADAPTER) -> list[Verdict]:
        return self.take(AdapterRead(self.at(), link.ifindex, adapter))

    def read_uplinks(self, *uplinks: Uplink) -> list[Verdict]:
        return self.take(UplinksRead(self.at(), uplinks))


def watching(link: Link = LINK, policy: Policy | None = None) -> Node:
    """A node that has found its USB NIC."""
    node = Node(policy)
    node.start()
    node.list_links(link)
    node.read_adapter(link)
    node.read_uplinks()
    return node


def flapped(link: Link, times: int = 1) -> Link:
    """The same link after so many complete flaps."""
    return replace(
        link,
        carrier_up_count=link.carrier_up_count + times,
        carrier_down_count=link.carrier_down_count + times,
    )


def lost(link: Link) -> Link:
    """The same link after a carrier loss."""
    return replace(link, carrier=False, carrier_down_count=link.carrier_down_count + 1)


def returned(link: Link) -> Link:
    """The same link after its carrier came back."""
    return replace(link, carrier=True, carrier_up_count=link.carrier_up_count + 1)
