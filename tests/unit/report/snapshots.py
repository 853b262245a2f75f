"""One snapshot with everything in it, for whatever renders snapshots."""

from __future__ import annotations

import time
from dataclasses import replace

from agent.model.cni import CniExposure, CniGuard
from agent.model.facts import KernelLogRead, LinkSeen
from agent.model.gpu import (
    GpuMemory,
    GpuProcess,
    GpuView,
    Holder,
    Holding,
    Share,
)
from agent.model.identity import Counters, Stamp, Uplink
from agent.model.incident import Incident, Sight, TakenStep
from agent.model.kernel_log import KernelMessage
from agent.model.policy import NicMatch, Policy
from agent.model.snapshot import Snapshot, Source
from agent.model.state import (
    Bystander,
    Gpu,
    GpuIncident,
    GpuVictim,
    GpuWatch,
    Health,
    Reach,
    Senses,
)
from tests.builders import ADAPTER, LINK, SECOND_NS, VIRTIO, WALL_BASE_NS, flapped, watching
from tests.simulation.network import FROM_PROXY, TO_PROXY, Network

IGC = replace(VIRTIO, bus="pci", driver="igc")
POLICY = Policy("observe", (NicMatch(name="uplink", driver="r8152"),))


def an_incident_each() -> tuple[Incident, Incident]:
    """One that is closed, and one that is open."""
    began, ended = (
        Stamp(SECOND_NS, WALL_BASE_NS),
        Stamp(9 * SECOND_NS, WALL_BASE_NS + 8 * SECOND_NS),
    )
    before = Sight(
        *(began, "enx2", "cdc_ncm", "2-2", 5_000_000_000, 2_500_000_000),
        carrier=True,
        carrier_losses_total=3,
        flaps_total=2,
        disconnects_total=1,
        counters=Counters(1000, 900, 7, 8, 1, 90_000, 80_000, 5, 6, 9),
    )
    closed = Incident(
        id="gone-1700000000",
        device="enx2",
        fault="its driver gave up",
        opened=began,
        evidence=("its driver gave up, and was not reset or bound since",),
        steps=(TakenStep("usb_reset", began, "verified", because="it is missing"),),
        verdict="recovered",
        closed=ended,
        kept=True,
        well_since=Stamp(5 * SECOND_NS, WALL_BASE_NS + 4 * SECOND_NS),
        before=before,
        after=replace(before, at=ended, device="", carrier=False, speed_bits=None, counters=None),
    )
    steps = (
        TakenStep("driver_rebind", ended, "failed", "no such device"),
        TakenStep("port_power", ended),
    )
    opened = Incident("gone-1700000008", "", "it is missing", ended, (), steps, kept=True)
    return closed, opened


MIB = 1024 * 1024
T4 = "GPU-3c9b1a52-7d0e-4b6f-9f5c-0c7c5f2ad1e4"
A_POD = Holder("", "0e9bd9d7-2d11-4f0e-8f4f-2f7f5d1d3c0a", "ml", "trainer-0", "train")
A_POD_WITHOUT_NAME = Holder("", "5f1b4c1e3f1f4f0fa6a0d6f1f8b7c9d2")
A_POD_AT_REST = Holder("", "91d1f1d2-6a0c-4a43-9a57-8f9f7f8d2b11", "ml", "notebook", "jupyter")
XORG = Holder(unit="gdm.service")


def a_gpu() -> GpuMemory:
    """A T4, time-sliced x4, on which a pod has more than its share."""
    held = (
        Holding(GpuProcess(4711, 90, "python", 9000 * MIB), A_POD),
        Holding(GpuProcess(4712, 91, "ptxas", 240 * MIB), A_POD_WITHOUT_NAME),
        Holding(GpuProcess(812, 12, "Xorg", 60 * MIB), XORG),
    )
    return GpuMemory(
        gpu_uuid=T4,
        name="Tesla T4",
        total_bytes=15360 * MIB,
        used_bytes=9320 * MIB,
        reserved_bytes=448 * MIB,
        free_bytes=5592 * MIB,
        unattributed_bytes=20 * MIB,
        processes=held,
        shares=(
            Share(A_POD, 9000 * MIB, 11000 * MIB, 1),
            Share(A_POD_WITHOUT_NAME, 240 * MIB, 240 * MIB, 1),
            Share(XORG, 60 * MIB, None, 1),
            Share(A_POD_AT_REST, None, 2048 * MIB, 0),
        ),
        replicas=4,
        compute_mode=0,
        persistence=True,
    )


def a_gpu_watch() -> GpuWatch:
    """With a fault, an incident that is over, and a GPU that was lost."""
    began = Stamp(SECOND_NS, WALL_BASE_NS)
    holdings = a_gpu().processes
    incident = GpuIncident(
        id="GPU-3c9b1a52-1700000000",
        opened=began,
        free_bytes=12 * MIB,
        total_bytes=15360 * MIB,
        before=holdings[:1],
        holdings=holdings[:2],
        victims=(GpuVictim(holdings[1], Stamp(3 * SECOND_NS, WALL_BASE_NS + 2 * SECOND_NS)),),
        closed=Stamp(50 * SECOND_NS, WALL_BASE_NS + 49 * SECOND_NS),
    )
    return GpuWatch(
        gpus={
            T4: Gpu(T4, "Tesla T4", xids_total={"31": 2}, incidents=(incident,)),
            "GPU-2": Gpu("GPU-2", "Tesla T4", "DeviceGetMemoryInfo: GPU is lost (NVML error 15)"),
        },
        restarts_total={"deadline": 1},
    )


def a_cni_guard() -> CniGuard:
    """What Cilium has, of which networkd took a rule that nobody may put back just now."""
    network = Network()
    network.begin()
    network.remove(202, TO_PROXY)
    network.settle()
    network.remove(202, FROM_PROXY)
    network.answers = False
    network.settle()
    guard = network.state.cni
    payload = FROM_PROXY.payload
    lost = replace(guard.losses[payload], phase="resting", culprit="systemd-networkd.service")
    counts = replace(guard.counts, networkd_restarts_total=2, restore_failures_total={"route": 1})
    exposure = CniExposure(("cni_rules", "uplink_kept"), ("needrestart",), 2, 5, {"cilium": 0})
    return replace(guard, losses={payload: lost}, counts=counts, exposure=exposure)


def a_busy_snapshot() -> Snapshot:
    """A NIC that flapped and lost, one that is gone, one in a bridge, a bystander, a failure."""
    node = watching(policy=POLICY)
    uplink = Uplink(LINK.ifindex, LINK.device, "192.168.77.1", default_route=True)
    node.read_uplinks(uplink)
    text = "r8152 2-1:1.0 enx6c1ff71be8c8: Tx status -71"
    heard = KernelMessage("transfer_error", "usb:2-1", 12, 900, 2 * SECOND_NS, text)
    node.take(KernelLogRead(node.at(), 901, 0, (heard,)))
    down = replace(flapped(LINK, times=2), carrier=False, carrier_down_count=3)
    node.take(LinkSeen(node.at(), down))
    (nic,) = node.state.nics.values()
    gone = replace(
        nic,
        nic="pci-0000:00:14.0-usb-0:2",
        adapter=replace(ADAPTER, connector="pci-0000:00:14.0-usb-0:2", driver="cdc_ncm"),
        link=None,
        carrier_losses_total=0,
        flaps_total=0,
        disconnects_total=1,
        last_carrier_change_wall_ns=None,
        down_since_ns=4 * SECOND_NS,
        downtime_ns=0,
        senses=Senses(),
        attempts_total={"tune": 2},
        failures_total={"tune": 1},
        incidents=an_incident_each(),
        incidents_total={"recovered": 1},
        steps_left=9,
    )
    onboard = replace(LINK, ifindex=2, device="eno1")
    reached = Senses(
        uplink=replace(uplink, ifindex=6, layer3_device="br0"),
        reach=Reach(reachable=True),
        health=Health("degraded", ("slow_link",), ("the link runs at 1000 Mb/s",), node.at()),
    )
    bridged = replace(
        nic,
        nic="pci-0000:03:00.0",
        adapter=replace(IGC, connector="pci-0000:03:00.0"),
        link=replace(LINK, ifindex=6, device="enp3s0"),
        carrier_losses_total=0,
        flaps_total=0,
        down_since_ns=None,
        kernel_messages_total={},
        incidents=(),
        speed_bits=1_000_000_000,
        senses=reached,
    )
    state = replace(
        node.state,
        nics={
            **node.state.nics,
            gone.adapter.connector: gone,
            bridged.adapter.connector: bridged,
        },
        bystanders={2: Bystander(onboard, onboard, 1, identified=True, adapter=IGC)},
        blind_spots=("no USB in /sys",),
        gpu=a_gpu_watch(),
        cni=a_cni_guard(),
    )
    return Snapshot(
        version="1.2.3",
        mode="observe",
        policy=POLICY,
        config_path="/etc/nodemend/config.yaml",
        started=Stamp(0, WALL_BASE_NS),
        at=Stamp(93784 * SECOND_NS, WALL_BASE_NS + 93784 * SECOND_NS),
        state=state,
        sources={
            "rtnetlink": Source("ok", "", 3, 1, 1, WALL_BASE_NS + 5 * SECOND_NS),
            "readings": Source("ok", "", 2),
            "kernel_log": Source("ok", "", 1),
            "network": Source("ok", "", 9, 0, 0, WALL_BASE_NS + 55 * SECOND_NS),
            "gpu": Source("ok", "", 60, 1, 0, WALL_BASE_NS + 60 * SECOND_NS),
            "probe": Source("not_applicable", "without root"),
            "journal": Source("not_applicable", "no journald runs here"),
            "store": Source("failed", "/var/lib/nodemend/state.json: No space left on device"),
        },
        gpu=GpuView(
            condition="sampling",
            driver_version="535.247.01",
            sampled=Stamp(60 * SECOND_NS, WALL_BASE_NS + 60 * SECOND_NS),
            gpus=(a_gpu(),),
            samples_total=60,
            dropped_total=1,
            top_processes=2,
            headroom_bytes=256 * MIB,
        ),
    )


class Turning:
    """Busy snapshots as the daemon's loop makes them: another one with each turn, ten a second."""

    _SECONDS = 0.1

    def __init__(self) -> None:
        self._latest, self._made_at = a_busy_snapshot(), time.monotonic()

    def __call__(self) -> Snapshot:
        if time.monotonic() - self._made_at >= self._SECONDS:
            self._latest, self._made_at = a_busy_snapshot(), time.monotonic()
        return self._latest
