"""Random lives of a node: decisions are total, replayable, and count what the kernel counted."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.codec import from_json, to_json
from agent.decide import decide
from agent.decide.gpu import open_incident
from agent.model.actions import SetUsbPower
from agent.model.cni import CniRuntime, EntryChange
from agent.model.facts import (
    ActionEnded,
    AdapterRead,
    ConfigRead,
    ConfigReadFailed,
    CountersRead,
    Fact,
    ForgetRequested,
    KernelLogRead,
    LinkGone,
    LinkSeen,
    LinksListed,
    ProbeEnded,
    ReadFailed,
    SourceChanged,
    SourceGap,
    SpeedRead,
    Started,
    Stopping,
    StoreSpoiled,
    TimeReached,
    UplinksRead,
    UsbTreeRead,
)
from agent.model.facts_of_cni import (
    Attempt,
    CniAudited,
    EntriesPutBack,
    NetworkChanged,
    NetworkdRestarted,
    NetworkListed,
    RequesterRead,
)
from agent.model.facts_of_gpus import (
    GpuHeadroomRead,
    GpuPeaksSpoiled,
    GpuReleaseRequested,
    GpuSamplerEnded,
    GpusSeen,
    GpuXidSeen,
    SeenGpu,
)
from agent.model.gpu import RESTART_REASONS, GpuProcess, Holder, Holding
from agent.model.identity import Counters, Link, Stamp, Uplink
from agent.model.incident import INCIDENTS_MAX
from agent.model.kernel_log import KERNEL_CLASSES, KernelMessage
from agent.model.outputs import Act, ListLinks, ReadAdapter, ReadSpeed, ReadUplinks, ReadUsbTree
from agent.model.outputs_of_cni import ListNetwork, ReadRequester
from agent.model.policy import NicMatch, Policy
from agent.model.recording import RecordingEntry
from agent.model.state import Durable, State
from agent.model.usb_tree import UsbPort, UsbTree
from agent.model.verdicts import NicFound
from tests.builders import ADAPTER, CONNECTOR, LINK, Node, watching
from tests.simulation.network import BASELINE, UPLINK
from tests.simulation.network import LINKS as HOST_LINKS
from tests.simulation.network import PORTS as OF_PORTS

POLICIES = st.builds(
    Policy,
    mode=st.sampled_from(["observe", "remediate"]),
    match=st.sampled_from([(), (NicMatch(driver="r8152"),), (NicMatch(name="a", mac=LINK.mac),)]),
    ignore=st.sampled_from([(), (NicMatch(product_id="8157"),)]),
    expect_speed_bits=st.sampled_from([None, 25 * 10**8]),
)
TOPICS = (
    *("listing", "probe", "counters", "uplinks", "deafness", "permission"),
    *("gpu:GPU-1", "gpu:GPU-9", "cni_losses", "cni_listing"),
    *("read:2", "read:3", f"step:{CONNECTOR}", f"speed:{CONNECTOR}"),
)
IFINDEXES = st.integers(2, 4)
STAMPS = st.builds(Stamp, st.integers(0, 10**12), st.integers(0, 10**18))
LINKS = st.builds(
    Link,
    ifindex=IFINDEXES,
    device=st.sampled_from(["eth0", "enx1", "enx2"]),
    mac=st.sampled_from([LINK.mac, "02:00:00:00:00:01"]),
    permanent_mac=st.sampled_from([LINK.mac, "02:00:00:00:00:01", ""]),
    admin_up=st.booleans(),
    carrier=st.booleans(),
    carrier_up_count=st.sampled_from([0, 1, 2, 3, 2**32 - 1]),
    carrier_down_count=st.sampled_from([0, 1, 2, 3, 2**32 - 1]),
    physical=st.booleans(),
)
ADAPTERS = st.builds(
    replace,
    st.just(ADAPTER),
    connector=st.sampled_from([CONNECTOR, "pci-0000:00:14.0-usb-0:2"]),
    device_number=st.integers(1, 3),
    bus=st.sampled_from(["usb", "pci"]),
    driver=st.sampled_from(["r8152", "cdc_ncm"]),
    mac_assignment=st.sampled_from([0, 1]),
    usb_speed_bits=st.sampled_from([0, 480_000_000, 5_000_000_000]),
    power_control=st.sampled_from(["on", "auto", ""]),
)
PORTS = st.sampled_from([0, -UPLINK, *OF_PORTS])
ENTRY = st.sampled_from(BASELINE)
ENTRIES = st.lists(ENTRY, max_size=8).map(tuple)
CHANGES = st.lists(
    st.builds(EntryChange, ENTRY, st.booleans(), PORTS, st.booleans()), max_size=8
).map(tuple)
CNI_LINKS = st.lists(
    st.builds(
        lambda link, is_up, mtu: replace(link, is_up=is_up, mtu=mtu),
        st.sampled_from([*HOST_LINKS.values()]),
        st.booleans(),
        st.sampled_from([1450, 1500]),
    ),
    max_size=3,
).map(tuple)
RUNTIMES = st.builds(
    CniRuntime, st.booleans(), st.sampled_from([{}, {"cilium-agent": 5}, {"cilium-agent": 500}])
)
ATTEMPTS = st.lists(
    st.builds(
        Attempt, ENTRY.map(lambda entry: entry.payload), st.sampled_from(["", "no"]), st.booleans()
    ),
    max_size=4,
).map(tuple)
QUESTIONS = st.one_of(
    st.builds(ListLinks, st.integers(0, 5)),
    st.builds(ReadAdapter, IFINDEXES, st.just("eth0")),
    st.builds(ReadSpeed, IFINDEXES, st.just("eth0")),
    st.builds(ReadUplinks),
    st.builds(ReadUsbTree),
    st.builds(ListNetwork, st.integers(0, 5)),
    st.builds(ReadRequester, PORTS, st.just(())),
)
COUNTS = st.integers(0, 2000)
COUNTERS = st.builds(Counters, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 2))
GATEWAYS = st.sampled_from(["192.168.77.1", "192.168.77.254"])
UPLINKS = st.builds(
    Uplink, IFINDEXES, st.sampled_from(["eth0", "br0"]), st.none() | GATEWAYS, st.booleans()
)
MESSAGES = st.builds(
    KernelMessage,
    st.sampled_from(KERNEL_CLASSES),
    st.sampled_from(["usb:2-1", "usb:1-1", "usb:", "pci:0000:00:14.0", "net:eth0", ""]),
    st.integers(1, 5),
    st.integers(0, 99),
    st.integers(0, 10**12),
    st.just("words"),
)
ACTIONS = st.builds(
    SetUsbPower,
    action_id=st.sampled_from(["tune-2-2-1-1", "tune-3-2-1-2"]),
    step=st.just("tune"),
    nic=st.just(CONNECTOR),
    ifindex=IFINDEXES,
    device=st.just("eth0"),
    usb_path=st.just("2-1"),
    device_number=st.integers(1, 3),
    power_control=st.just("on"),
)
RESTORED = st.none() | st.builds(
    lambda starts, ended: Durable("boot-1", watching().state.nics, None, starts, ended),
    st.lists(st.integers(0, 10**18), max_size=3).map(tuple),
    st.booleans(),
)
UUIDS = st.sampled_from(["GPU-1", "GPU-2", ""])
HOLDINGS = st.lists(
    st.builds(
        Holding,
        st.builds(
            GpuProcess, st.integers(1, 5), st.integers(0, 2), st.just("x"), st.none() | COUNTS
        ),
        st.sampled_from([Holder(unit="x.service"), Holder("", "uid", "ns", "pod", "c")]),
    ),
    max_size=3,
).map(tuple)
FREE = st.sampled_from([0, 255 * 2**20, 300 * 2**20, 2**34])
GPU_FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(
        GpusSeen,
        STAMPS,
        st.just("535"),
        st.lists(
            st.builds(SeenGpu, UUIDS, st.just("T4"), st.sampled_from(["", "lost"])), max_size=3
        ).map(tuple),
    ),
    st.builds(GpuXidSeen, STAMPS, UUIDS, st.integers(1, 99), st.integers(1, 5)),
    st.builds(GpuHeadroomRead, STAMPS, UUIDS, st.just(2**34), FREE, HOLDINGS, HOLDINGS, HOLDINGS),
    st.builds(
        GpuSamplerEnded,
        STAMPS,
        st.sampled_from(RESTART_REASONS),
        st.just("words"),
        st.none() | st.floats(0, 60),
    ),
    st.builds(GpuReleaseRequested, STAMPS, st.integers(0, 9)),
    st.builds(GpuPeaksSpoiled, STAMPS, st.just("/x"), st.just("damaged")),
)
FACTS: st.SearchStrategy[Fact] = st.one_of(
    GPU_FACTS,
    st.builds(
        Started, STAMPS, st.just("1"), st.sampled_from(["boot-1", "boot-2"]), RESTORED, st.just(())
    ),
    st.builds(Stopping, STAMPS, st.just("SIGTERM")),
    st.builds(LinkSeen, STAMPS, LINKS),
    st.builds(LinkGone, STAMPS, IFINDEXES, st.just("eth0")),
    st.builds(LinksListed, STAMPS, st.integers(0, 5), st.lists(LINKS, max_size=4).map(tuple)),
    st.builds(AdapterRead, STAMPS, IFINDEXES, st.one_of(st.none(), ADAPTERS)),
    st.builds(CountersRead, STAMPS, IFINDEXES, COUNTERS),
    st.builds(SpeedRead, STAMPS, IFINDEXES, st.sampled_from([None, 10**9, 25 * 10**8])),
    st.builds(UsbTreeRead, STAMPS, st.just(UsbTree((), (UsbPort("usb2-port1", "", "", "", 1),)))),
    st.builds(UplinksRead, STAMPS, st.lists(UPLINKS, max_size=3).map(tuple)),
    st.builds(ProbeEnded, STAMPS, IFINDEXES, GATEWAYS, st.booleans()),
    st.builds(
        KernelLogRead,
        STAMPS,
        st.integers(0, 99),
        st.integers(0, 2),
        st.lists(MESSAGES, max_size=3).map(tuple),
    ),
    st.builds(ForgetRequested, STAMPS, st.sampled_from([CONNECTOR, "a", "nonsense"])),
    st.builds(ReadFailed, STAMPS, QUESTIONS, st.just("gone")),
    st.builds(SourceGap, STAMPS, st.sampled_from(["rtnetlink", "network"]), st.just("ENOBUFS")),
    st.builds(NetworkChanged, STAMPS, CHANGES, CNI_LINKS, st.sampled_from([(), (UPLINK,)])),
    st.builds(NetworkListed, STAMPS, st.integers(0, 5), ENTRIES, CNI_LINKS),
    st.builds(RequesterRead, STAMPS, PORTS, st.sampled_from([*OF_PORTS.values()]), RUNTIMES),
    st.builds(EntriesPutBack, STAMPS, st.integers(0, 5), ATTEMPTS),
    st.builds(NetworkdRestarted, STAMPS),
    st.builds(
        CniAudited,
        STAMPS,
        st.sampled_from([(), ("cni_rules",), ("cni_rules", "cni_routes")]),
        st.sampled_from([(), ("needrestart",)]),
        st.sampled_from([None, 0, 2]),
        st.sampled_from([None, 0, 5]),
    ),
    st.builds(
        TimeReached,
        STAMPS,
        st.sampled_from([*TOPICS, "nonsense"]),
    ),
    st.builds(
        ActionEnded,
        STAMPS,
        ACTIONS,
        st.sampled_from(["done", "failed", "refused", "busy", "timed_out"]),
        st.just(""),
    ),
    st.builds(StoreSpoiled, STAMPS, st.just("/x"), st.just("damaged")),
    st.builds(ConfigRead, STAMPS, st.just("config"), st.none() | st.just("/c.yaml"), POLICIES),
    st.builds(ConfigRead, STAMPS, st.just("web_config"), st.just("/w.yaml"), st.none()),
    st.builds(ConfigReadFailed, STAMPS, st.just("config"), st.none(), st.just(("/c:1: no",))),
    st.builds(SourceChanged, STAMPS, st.just("store"), st.none() | st.just("full")),
)


@settings(max_examples=300)
@given(POLICIES, st.lists(FACTS, max_size=40))
def test_any_facts_in_any_order(policy: Policy, facts: list[Fact]) -> None:
    """Total; each entry survives its recording; a state restored from JSON decides the same."""
    state = State()
    for fact in facts:
        after, outputs = decide(state, fact, policy)
        entry = RecordingEntry(fact, outputs)
        assert entry == from_json(to_json(entry), RecordingEntry)
        assert (after, outputs) == decide(from_json(to_json(state), State), fact, policy)
        if isinstance(fact, ConfigRead) and fact.policy is not None:
            policy = fact.policy
        acts = any(isinstance(output, Act) for output in outputs)
        if acts and not isinstance(fact, Stopping):  # what was begun is taken back in any mode
            assert "remediate" == policy.mode
            assert not state.observe_because
        state = after
        check_invariants(state)


def check_invariants(state: State) -> None:
    ifindexes = [nic.link.ifindex for nic in state.nics.values() if nic.link]
    assert len(ifindexes) == len(set(ifindexes)), "a netdev belongs to one NIC"
    assert not set(ifindexes) & state.bystanders.keys(), "a NIC is no bystander"
    names = [nic.nic for nic in state.nics.values()]
    assert len(names) == len(set(names))
    for connector, nic in state.nics.items():
        assert connector == nic.adapter.connector
        assert nic.flaps_total <= nic.carrier_losses_total
        assert nic.downtime_ns >= 0
        health = nic.senses.health
        if health is not None and nic.link is None:
            assert "gone" == health.state
        assert nic.step is None or nic.link is not None or not nic.confirmed
    for uuid, gpu in state.gpu.gpus.items():
        assert uuid == gpu.gpu_uuid != ""
        assert not gpu.is_low or open_incident(gpu), "what is full has its incident"
        assert all(each.closed for each in gpu.incidents[:-1]), "one is open at most"
        assert len(gpu.incidents) <= INCIDENTS_MAX


# What may happen to a netdev between two messages. The kernel's side of it is the truth.
HAPPENINGS = st.lists(st.sampled_from(["lose", "return", "message", "restart", "listing"]))


@settings(max_examples=300)
@given(HAPPENINGS)
def test_counts_equal_the_kernels_truth(happenings: list[str]) -> None:
    """However changes share messages, and whenever the daemon restarts, nothing is lost."""
    link, node = LINK, watching()
    losses = flaps = 0
    for happening in [*happenings, "message"]:
        if happening == "lose" and link.carrier:
            link = replace(link, carrier=False, carrier_down_count=link.carrier_down_count + 1)
            losses += 1
        elif happening == "return" and not link.carrier:
            link = replace(link, carrier=True, carrier_up_count=link.carrier_up_count + 1)
            flaps += 1
        elif happening == "message":
            node.take(LinkSeen(node.at(), link))
        elif happening == "listing":
            node.take(TimeReached(node.at(), "listing"))
            node.list_links(link)
        elif happening == "restart":
            durable = Durable(node.state.boot_id, node.state.nics)
            node = Node()
            node.start(durable)
            node.list_links(link)
    nic = node.state.nics[CONNECTOR]

    assert (losses, flaps, 0) == (
        nic.carrier_losses_total,
        nic.flaps_total,
        nic.disconnects_total,
    )


@given(st.lists(st.sampled_from(["unplug", "plug"])))
def test_each_unplug_is_one_disconnect(happenings: list[str]) -> None:
    node = watching()
    link, present, unplugs = LINK, True, 0
    for happening in happenings:
        if happening == "unplug" and present:
            node.take(LinkGone(node.at(), link.ifindex, link.device))
            present, unplugs = False, unplugs + 1
        elif happening == "plug" and not present:
            link, present = replace(link, ifindex=link.ifindex + 1), True
            node.take(LinkSeen(node.at(), link))
            told = node.read_adapter(link)
            assert not any(isinstance(v, NicFound) for v in told)

    assert unplugs == node.state.nics[CONNECTOR].disconnects_total
