"""`nodemend status`, for people and for programs."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import get_args

import pytest

from agent.model.state import Climb, StepInProgress, StepPhase
from agent.report.status import as_object, as_text
from tests.unit.report.snapshots import a_busy_snapshot

EXPECTED = """\
uplink is DOWN, pci-0000:03:00.0 is DEGRADED, the CNI lacks 1 of its entries, \
GPU Tesla T4 is LOST. nodemend itself is impaired: store.
source store FAILED: /var/lib/nodemend/state.json: No space left on device

uplink: DOWN since 2023-11-14 22:13:27
  because it is set up and has no carrier
  next: Check the cable at both ends and the switch's port; then try another cable.
  enx6c1ff71be8c8 (6c:1f:f7:1b:e8:c8) has NO CARRIER, last carrier change 2023-11-14 22:13:27
  r8152, 0bda:8156, USB at 5000 Mb/s, connector pci-0000:00:14.0-usb-0:1
  carrier losses 3, flaps 2, disconnects 0, unobserved gaps 0

pci-0000:03:00.0: DEGRADED since 2023-11-14 22:13:28
  because the link runs at 1000 Mb/s
  next: Change the cable: one broken pair is enough. See what the switch's port can do.
  enp3s0 (6c:1f:f7:1b:e8:c8) has a carrier, last carrier change 2023-11-14 22:13:27
  igc, 1af4:0001, link at 1000 Mb/s
  gateway 192.168.77.1 on br0 answers
  carrier losses 0, flaps 0, disconnects 0, unobserved gaps 0

pci-0000:00:14.0-usb-0:2: not judged, neither in usb_nic.match nor ever seen with a default route
  gone
  cdc_ncm, 0bda:8156, USB at 5000 Mb/s
  carrier losses 0, flaps 0, disconnects 1, unobserved gaps 0

CNI: 1 MISSING
  cilium: 1 rule, 3 routes, 1 address, 2 links
  host: 1 rule
  rule 9: from all lookup 2004: taken by systemd-networkd.service, left alone: it was too often
  the next start of networkd deletes 2 rules and 5 routes, by cni_rules, uplink_kept; see \
`nodemend cni audit`
  1 taken away, 1 put back; networkd started anew 2 times

GPU Tesla T4: ok
  9,320 MiB of 15,360 MiB are used; head-room 5,592 MiB.
  Time-sliced into 4 replicas without isolation: a fair share is 3,840 MiB.
  ml/trainer-0 (train) holds 9,000 MiB, peak 11,000 MiB, 2.3 fair shares
  pod 5f1b4c1e3f1f4f0fa6a0d6f1f8b7c9d2 holds 240 MiB, peak 240 MiB, 0.1 fair shares
  host: gdm.service holds 60 MiB, 0.0 fair shares
  20 MiB not attributed to a process

GPU Tesla T4 (GPU-2) is LOST: DeviceGetMemoryInfo: GPU is lost (NVML error 15)

nodemend 1.2.3, mode observe, up 1d 2h 3m 4s, config /etc/nodemend/config.yaml
sources ok: rtnetlink, readings, kernel_log, network, gpu
source probe not applicable: without root
source journal not applicable: no journald runs here
other links, left alone: eno1 (igc)
may not see or do: no USB in /sys
"""


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_in_words() -> None:
    assert EXPECTED == as_text(as_object(a_busy_snapshot()))


def test_as_json() -> None:
    status = json.loads(json.dumps(as_object(a_busy_snapshot())))

    uplink, _bridged, gone = status["nics"]
    assert (True, False, 3, 2) == (
        uplink["present"],
        uplink["carrier"],
        uplink["carrier_losses_total"],
        uplink["flaps_total"],
    )
    assert (False, None, None) == (gone["present"], gone["carrier"], gone["device"])


def test_what_a_repair_is_at() -> None:
    snapshot = a_busy_snapshot()
    connector, uplink = next(iter(snapshot.state.nics.items()))
    climb = Climb("missing", "resting", 0, 0, tried=("port_power",))
    nics = {connector: replace(uplink, climb=climb, steps_left=9)}
    state = replace(snapshot.state, nics=nics)

    said = as_text(as_object(replace(snapshot, mode="remediate", state=state)))
    assert (
        "  repair: no step is left; at rest for some hours; tried: port_power; steps left: 9\n"
    ) in said
    assert "repair" not in as_text(as_object(replace(snapshot, state=state)))


@pytest.mark.parametrize("phase", get_args(StepPhase))
def test_every_phase_of_a_step_has_its_words(phase: StepPhase) -> None:
    snapshot = a_busy_snapshot()
    connector, uplink = next(iter(snapshot.state.nics.items()))
    step = StepInProgress("rebind-1", "driver_rebind", phase)
    state = replace(snapshot.state, nics={connector: replace(uplink, step=step)})

    said = as_text(as_object(replace(snapshot, state=state)))
    assert re.search(r"  step driver_rebind (is|was|brought) .{10,}\n", said)
