"""Incidents as people read them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from agent.report.incidents import as_objects, list_in_words, show_in_words
from tests.unit.report.snapshots import a_busy_snapshot


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def of_the_gone_ones() -> list[dict[str, Any]]:
    found = as_objects(a_busy_snapshot().state)
    return [incident for incident in found if incident["id"].startswith(("gone-", "GPU-"))]


def test_a_line_each_the_newest_first() -> None:
    nic = "pci-0000:00:14.0-usb-0:2"

    assert list_in_words(of_the_gone_ones()).splitlines() == [
        f"gone-1700000008  2023-11-14 22:13:28  {nic}: it is missing; open "
        "(driver_rebind failed, port_power under way)",
        f"gone-1700000000  2023-11-14 22:13:20  {nic}: its driver gave up; a step helped, verified "
        "(usb_reset verified)",
        "GPU-3c9b1a52-1700000000  2023-11-14 22:13:20  Tesla T4: its head-room ran out; over "
        "(1 process(es) ended meanwhile)",
    ]


def test_one_of_them_whole() -> None:
    opened, closed, _gpu = of_the_gone_ones()

    assert show_in_words(closed).splitlines() == [
        "gone-1700000000: pci-0000:00:14.0-usb-0:2 (enx2), its driver gave up",
        "  2023-11-14 22:13:20  the first evidence",
        "                       because its driver gave up, and was not reset or bound since",
        "                       before: enx2 with a carrier, link at 2500 Mb/s; cdc_ncm, USB 2-2 "
        "at 5000 Mb/s; 3 carrier losses, 2 flaps, 1 disconnects",
        "                               1000 packets received, 900 sent, errors 7 and 8, dropped 5 "
        "and 6, transmit timeouts 1, carrier changes 9",
        "  2023-11-14 22:13:20  usb_reset verified",
        "                       because it is missing",
        "  2023-11-14 22:13:24  well again",
        "  2023-11-14 22:13:28  closed",
        "                       after: no interface; cdc_ncm, USB 2-2 at 5000 Mb/s; 3 carrier "
        "losses, 2 flaps, 1 disconnects",
        "  verdict: a step helped, verified",
    ]
    assert "driver_rebind failed: no such device" in show_in_words(opened)
    assert show_in_words(opened).endswith("verdict: open")


def test_one_that_may_yet_leave_nothing_behind_says_so() -> None:
    opened, _, _gpu = of_the_gone_ones()

    young = list_in_words([{**opened, "kept": False, "steps": []}])
    assert young.endswith("it is missing; open, too short yet to be kept")
    settling = list_in_words([{**opened, "verdict": "recovered"}])
    assert "; open; a step helped, verified (" in settling


def test_one_of_a_gpu() -> None:
    *_, full = as_objects(a_busy_snapshot().state)

    assert show_in_words(full).splitlines() == [
        "GPU-3c9b1a52-1700000000: Tesla T4 (GPU-3c9b1a52-7d0e-4b6f-9f5c-0c7c5f2ad1e4), its "
        "head-room ran out",
        "  2023-11-14 22:13:20  12 MiB of 15,360 MiB free at the least",
        "                       held by:",
        "                         ml/trainer-0, process 4711 (python): 9,000 MiB",
        "                         pod 5f1b4c1e3f1f4f0fa6a0d6f1f8b7c9d2, process 4712 (ptxas): "
        "240 MiB",
        "                       one sample earlier:",
        "                         ml/trainer-0, process 4711 (python): 9,000 MiB",
        "  2023-11-14 22:13:22  ended, likely a victim: pod 5f1b4c1e3f1f4f0fa6a0d6f1f8b7c9d2, "
        "process 4712 (ptxas): 240 MiB",
        "  2023-11-14 22:14:09  closed",
    ]


def test_none_is_said() -> None:
    assert "no incident is on record" == list_in_words([])
