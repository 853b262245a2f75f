"""One flap of a USB NIC on the kernel's own r8152 driver, and everything that tells of it."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest

from tests.e2e.service import Daemon
from tests.lab.machine import PRODUCT_PORT, VirtualMachine
from tests.lab.node import Looks
from tests.lab.prometheus import check_metrics, scraping
from tests.lab.rtl8156.client import Rtl8156

DEADLINE_SECONDS = 60.0
WITHIN_SECONDS = 1.0
LOSSES = 'nodemend_nic_carrier_losses_total{nic="uplink"}'
FLAPS = 'nodemend_nic_flaps_total{nic="uplink"}'
CHANGED = 'nodemend_nic_last_carrier_change_timestamp_seconds{nic="uplink"}'


def sample(text: str, series: str) -> float | None:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def wait_for(node: VirtualMachine, series: str, value: float) -> str:
    """/metrics, once the series has the value."""
    looks, text = Looks(DEADLINE_SECONDS), ""
    while True:
        with contextlib.suppress(OSError):  # a service that starts anew answers in a moment
            text = node.get("/metrics")
        if sample(text, series) == value:
            return text
        if not looks.rest():
            pytest.fail(f"{series} did not become {value}:\n{text}")


def flap(machine: VirtualMachine, adapter: Rtl8156) -> None:
    """The first flap, and wait until it is counted."""
    wait_for(machine, LOSSES, 0)
    adapter.link_down()
    adapter.link_up()
    wait_for(machine, FLAPS, 1)


def status_of_the_nic(node: VirtualMachine) -> dict[str, Any]:
    nics = json.loads(node.run("nodemend status --json").stdout)["nics"]
    return dict(next(nic for nic in nics if nic["nic"] == "uplink"))


def test_a_flap_shows_everywhere_within_a_second(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    wait_for(machine, LOSSES, 0)

    down = adapter.link_down()["realtime_ns"] / 1e9
    text = wait_for(machine, LOSSES, 1)
    lost_at = sample(text, CHANGED)
    up = adapter.link_up()["realtime_ns"] / 1e9
    text = wait_for(machine, FLAPS, 1)
    back_at = sample(text, CHANGED)

    # The counter: its moment is the daemon's own observation, on the same clock as the truth.
    assert lost_at is not None
    assert back_at is not None
    assert 0 <= lost_at - down < WITHIN_SECONDS
    assert 0 <= back_at - up < WITHIN_SECONDS

    # The journal: written within the second as well, by journald's own stamp, and with fields.
    (lost,) = daemon.events("carrier_lost")
    (back,) = daemon.events("carrier_returned")
    assert 0 <= int(lost["__REALTIME_TIMESTAMP"]) / 1e6 - down < WITHIN_SECONDS
    assert 0 <= int(back["__REALTIME_TIMESTAMP"]) / 1e6 - up < WITHIN_SECONDS
    assert ("uplink", "enx6c1ff71be8c8", "1", "4") == (
        lost["NODEMEND_NIC"],
        lost["NODEMEND_DEVICE"],
        lost["NODEMEND_CARRIER_LOSSES_TOTAL"],
        lost["PRIORITY"],
    )

    # Status says the same.
    nic = status_of_the_nic(machine)
    assert (1, 1, 0, True) == (
        nic["carrier_losses_total"],
        nic["flaps_total"],
        nic["disconnects_total"],
        nic["carrier"],
    )
    assert back_at == pytest.approx(nic["last_carrier_change_timestamp_seconds"], abs=1e-3)
    assert (
        "enx6c1ff71be8c8 (6c:1f:f7:1b:e8:c8) has a carrier" in machine.run("nodemend status").stdout
    )

    # And so does the truth.
    truth = adapter.truth()["counters"]
    assert (1, 1) == (truth["carrier_down_reported"], truth["carrier_up_reported"])


def test_the_adapter_is_described_as_it_is(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    wait_for(machine, LOSSES, 0)
    nic = status_of_the_nic(machine)

    assert ("r8152", "0bda", "8156", 5_000_000_000) == (
        nic["driver"],
        nic["vendor_id"],
        nic["product_id"],
        nic["usb_speed_bits"],
    )
    path = f"/sys/class/net/{nic['device']}"
    properties = machine.run(f"udevadm info -q property -p {path}").stdout
    (id_path,) = re.findall(r"^ID_PATH=(.*)$", properties, re.MULTILINE)
    assert id_path.startswith(nic["connector"]), "the connector is udev's own ID_PATH"
    began = daemon.events("watch_began")
    assert "uplink (enx6c1ff71be8c8)" in began[0]["MESSAGE"]


def test_a_real_prometheus_scrapes_it(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    wait_for(machine, LOSSES, 0)
    with scraping(f"127.0.0.1:{machine.port(PRODUCT_PORT)}") as prometheus:
        prometheus.wait_for("up == 1")
        adapter.link_down()
        adapter.link_up()
        (series,) = prometheus.wait_for("nodemend_nic_flaps_total == 1")

        assert "uplink" == series["metric"]["nic"]
        assert prometheus.query("nodemend_nic_carrier_losses_total == 1")
    assert "" == check_metrics(machine.get("/metrics"))


def test_the_recording_of_it_replays_to_the_same_outputs(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    flap(machine, adapter)
    daemon.stop()

    recorded = machine.read("/run/nodemend/recording/000001.jsonl")
    assert '"type":"CarrierLost"' in recorded
    replayed = machine.run("nodemend replay /run/nodemend/recording/000001.jsonl").stdout
    assert re.fullmatch(r"\d+ facts recorded by \S+, 0 with other outputs\n", replayed), replayed


@pytest.mark.full  # also shown by test_exactness
def test_a_replug_is_a_disconnect_and_no_flap(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    wait_for(machine, LOSSES, 0)
    adapter.unplug()
    wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 0)
    adapter.plug()
    text = wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 1)

    assert (1, 0) == (
        sample(text, 'nodemend_nic_disconnects_total{nic="uplink"}'),
        sample(text, FLAPS),
    )
    about_it = [entry for entry in daemon.events() if entry.get("NODEMEND_NIC") == "uplink"]
    told = [entry["NODEMEND_EVENT"] for entry in about_it]
    assert ["nic_found", "nic_disconnected", "nic_returned"] == [
        event for event in told if event in ("nic_found", "nic_disconnected", "nic_returned")
    ]


@pytest.mark.full  # also shown by test_exactness
def test_counts_survive_a_kill_and_a_flap_that_nobody_saw(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    flap(machine, adapter)
    machine.wait_until("grep -q '\"flaps_total\":1' /var/lib/nodemend/state.json")
    machine.run("systemctl kill -s KILL nodemend && systemctl stop nodemend")
    adapter.link_down()
    adapter.link_up()
    machine.run("systemctl start nodemend")

    text = wait_for(machine, FLAPS, 2)

    assert 2 == sample(text, LOSSES)
    assert 0 == sample(text, 'nodemend_nic_unobserved_gaps_total{nic="uplink"}')


@pytest.mark.full  # also shown by test_health
def test_setting_the_link_down_is_no_loss(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    wait_for(machine, LOSSES, 0)
    machine.run("ip link set enx6c1ff71be8c8 down")
    wait_for(machine, 'nodemend_nic_carrier{nic="uplink"}', 0)
    machine.run("ip link set enx6c1ff71be8c8 up")
    text = wait_for(machine, 'nodemend_nic_carrier{nic="uplink"}', 1)

    assert (0, 0) == (sample(text, LOSSES), sample(text, FLAPS))


@pytest.mark.full  # also shown by test_service
def test_the_catalog_makes_the_journal_the_runbook(
    machine: VirtualMachine, adapter: Rtl8156, daemon: Daemon
) -> None:
    wait_for(machine, LOSSES, 0)
    adapter.link_down()
    wait_for(machine, LOSSES, 1)
    adapter.link_up()

    explained = machine.run(f"journalctl --no-pager -x -t nodemend --since=@{daemon.since}").stdout
    assert "-- Subject: USB NIC enx6c1ff71be8c8 lost its carrier" in explained.replace("░░", "--")
    assert "What to do: One loss while a switch restarts is normal." in explained
