"""One snapshot with everything in it, for whatever renders snapshots."""

from __future__ import annotations

from dataclasses import replace

from agent.model.facts import LinkSeen
from agent.model.identity import Stamp
from agent.model.policy import NicMatch, Policy
from agent.model.snapshot import Snapshot, Source
from agent.model.state import Bystander
from tests.builders import ADAPTER, LINK, SECOND_NS, WALL_BASE_NS, flapped, watching

POLICY = Policy("observe", (NicMatch(name="uplink", driver="r8152"),))


def a_busy_snapshot() -> Snapshot:
    """A NIC that flapped twice and lost one more, one that is gone, a bystander, a failure."""
    node = watching(policy=POLICY)
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
        attempts_total={"tune": 2},
        failures_total={"tune": 1},
    )
    onboard = replace(LINK, ifindex=2, device="eno1")
    state = replace(
        node.state,
        nics={**node.state.nics, gone.adapter.connector: gone},
        bystanders={2: Bystander(onboard, onboard, 1, identified=True, driver="igc")},
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
            "journal": Source("not_applicable", "no journald runs here"),
            "store": Source("failed", "/var/lib/nodemend/state.json: No space left on device"),
        },
    )
