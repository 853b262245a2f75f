"""The flight recorder on the kernel's own r8152: what an incident leaves behind, and its bundle."""

from __future__ import annotations

import json

from tests.e2e.uplink import REACHABLE, REMEDIATE, SYSFS, Uplink
from tests.lab.rtl8156.client import Rtl8156

SETTLED = f"{REMEDIATE}  remediation: {{settle: 10s}}\n"


def test_a_wedge_leaves_a_bundle_that_replays_and_a_report_that_names_the_driver(
    repaired: Uplink, adapter: Rtl8156
) -> None:
    machine = repaired.machine
    machine.write("/etc/nodemend/config.yaml", SETTLED)
    machine.run("systemctl reload nodemend")
    repaired.wait_until_told("config_reloaded", "config.yaml")
    adapter.fault("ctl_fail")
    machine.run(f"cat {SYSFS}/speed || true")
    repaired.wait_until_told("nic_wedged", "giving up")
    adapter.fault("ctl_ok")
    step = repaired.wait_until_told("nic_recovered", "its driver gave up before")["NODEMEND_STEP"]
    repaired.wait_for_sample(REACHABLE, 1)
    repaired.wait_for_sample('nodemend_incidents_total{nic="uplink",verdict="recovered"}', 1)

    (incident,) = json.loads(machine.run("nodemend incidents list --json").stdout)
    assert ("recovered", True) == (incident["verdict"], incident["kept"])
    assert incident["opened_timestamp_seconds"] <= incident["steps"][0]["began_timestamp_seconds"]
    assert (5000_000_000, True) == (
        incident["before"]["usb_speed_bits"],
        incident["after"]["carrier"],
    )

    machine.run(f"nodemend incidents bundle {incident['id']} --output /tmp/bundle.tar.gz")
    replayed = machine.run("nodemend replay /tmp/bundle.tar.gz").stdout
    assert ", 0 with other outputs" in replayed
    machine.run("rm -rf /tmp/bundle; mkdir /tmp/bundle; tar -xzf /tmp/bundle.tar.gz -C /tmp/bundle")
    inside = f"/tmp/bundle/nodemend-{incident['id']}"
    assert "Tried to reset 3 times; giving up" in machine.read(f"{inside}/kernel.txt")
    tree = machine.read(f"{inside}/usb.txt")
    assert "0bda:8156 at 5000 Mb/s" in tree
    assert "driver r8152, enx6c1ff71be8c8; authorized 1, power/control on" in tree
    assert "carrier_changes" in machine.read(f"{inside}/counters.txt")
    assert "a step helped, verified" in machine.read(f"{inside}/incident.txt")
    assert "mode: remediate" in machine.read(f"{inside}/config.yaml")

    # With the policy that only observes, the same facts would have led to words.
    observing = SETTLED.replace("mode: remediate", "mode: observe")
    machine.write("/tmp/observe.yaml", observing)
    otherwise = machine.run("nodemend replay /tmp/bundle.tar.gz --config /tmp/observe.yaml || true")
    assert "recorded: step usb_reset on enx6c1ff71be8c8" in otherwise.stdout
    assert "by /tmp/observe.yaml: would have taken step usb_reset" in otherwise.stdout

    report = machine.run("nodemend report --format markdown").stdout
    assert "It is the driver, or the adapter's firmware." in report
    assert "its driver gave up: " in report
    assert f"{step} was taken once: helped 1" in report

    machine.run("systemctl restart nodemend")
    repaired.wait_for_sample('nodemend_incidents_total{nic="uplink",verdict="recovered"}', 1)
    series = 'nodemend_incident_end_timestamp_seconds{nic="uplink",verdict="recovered"} '
    assert series in machine.get("/metrics")
    machine.run("systemctl stop nodemend")
    assert incident["id"] in machine.run("nodemend incidents list").stdout
    machine.run("nodemend report")
