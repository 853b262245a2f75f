"""`nodemend status`, for people and for programs."""

from __future__ import annotations

import json
import time

import pytest

from agent.report.status import as_object, as_text
from tests.unit.report.snapshots import a_busy_snapshot

EXPECTED = """\
nodemend 1.2.3, mode observe, up 1d 2h 3m 4s, config /etc/nodemend/config.yaml

uplink: DOWN since 2023-11-14 22:13:27
  because it is set up and has no carrier
  enx6c1ff71be8c8 (6c:1f:f7:1b:e8:c8) has NO CARRIER, last carrier change 2023-11-14 22:13:27
  r8152, 0bda:8156, USB at 5000 Mb/s, connector pci-0000:00:14.0-usb-0:1
  carrier losses 3, flaps 2, disconnects 0, unobserved gaps 0

pci-0000:00:14.0-usb-0:2: not judged, neither in usb_nic.match nor ever seen with a default route
  gone
  cdc_ncm, 0bda:8156, USB at 5000 Mb/s
  carrier losses 0, flaps 0, disconnects 1, unobserved gaps 0

pci-0000:03:00.0: DEGRADED since 2023-11-14 22:13:28
  because the link runs at 1000 Mb/s
  enp3s0 (6c:1f:f7:1b:e8:c8) has a carrier, last carrier change 2023-11-14 22:13:27
  igc, 1af4:0001, link at 1000 Mb/s
  gateway 192.168.77.1 on br0 answers
  carrier losses 0, flaps 0, disconnects 0, unobserved gaps 0

source rtnetlink: ok
source readings: ok
source kernel_log: ok
source probe: not applicable: without root
source journal: not applicable: no journald runs here
source store: FAILED: /var/lib/nodemend/state.json: No space left on device
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

    uplink, gone, _bridged = status["nics"]
    assert (True, False, 3, 2) == (
        uplink["present"],
        uplink["carrier"],
        uplink["carrier_losses_total"],
        uplink["flaps_total"],
    )
    assert (False, None, None) == (gone["present"], gone["carrier"], gone["device"])
