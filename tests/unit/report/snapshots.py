"""One snapshot with everything in it, for whatever renders snapshots."""

from __future__ import annotations

from dataclasses import replace

from agent.model.facts import KernelLogRead, LinkSeen
from agent.model.identity import Stamp, Uplink
from agent.model.kernel_log import KernelMessage
from agent.model.policy import NicMatch, Policy
from agent.model.snapshot import Snapshot, Source
from agent.model.state import Bystander, Health, Reach, Senses
from tests.builders import ADAPTER, LINK, SECOND_NS, VIRTIO, WALL_BASE_NS, flapped, watching

IGC = replace(VIRTIO, bus="pci", driver="igc")
POLICY = Policy("observe", (NicMatch(name="uplink", driver="r8152"),))


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
    )
    return Snapshot(
        version="1.2.3",
        policy=POLICY,
        config_path="/etc/nodemend/config.yaml",
        started=Stamp(0, WALL_BASE_NS),
        at=Stamp(93784 * SECOND_NS, WALL_BASE_NS + 93784 * SECOND_NS),
        state=state,
        sources={
            "rtnetlink": Source("ok", "", 3, 1, 1, WALL_BASE_NS + 5 * SECOND_NS),
            "readings": Source("ok", "", 2),
            "kernel_log": Source("ok", "", 1),
            "probe": Source("not_applicable", "without root"),
            "journal": Source("not_applicable", "no journald runs here"),
            "store": Source("failed", "/var/lib/nodemend/state.json: No space left on device"),
        },
    )
