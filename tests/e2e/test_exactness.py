"""Counts against the truth: bursts, replugs, a fall to USB 2, restarts and a kill, in one life."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.e2e.test_flap import FLAPS, LOSSES, sample
from tests.e2e.uplink import DEVICE, Uplink
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

FLAPS_IN_ALL = 100
DISCONNECTS = 'nodemend_nic_disconnects_total{nic="uplink"}'
PRESENT = 'nodemend_nic_present{nic="uplink"}'
# A burst on the node itself: over ssh each command takes longer than the flaps may be apart. Each
# change waits for the one before: r8152 looks at the link in a work of its own (drivers/net/usb/
# r8152.c, set_carrier), and where that runs late, a loss and a return within it never were.
BURST = (
    "env --chdir /opt/lab python3 -c '"
    "import time\n"
    "from tests.lab.rtl8156.control import ask\n"
    "def until(carrier):\n"
    "    end = time.monotonic() + 60\n"
    f'    while open("/sys/class/net/{DEVICE}/carrier").read().strip() != carrier:\n'
    "        assert time.monotonic() < end\n"
    "        time.sleep(0.002)\n"
    "for pause in {pauses}:\n"
    '    ask("link_down", [])\n'
    '    until("0")\n'
    '    ask("link_up", [])\n'
    '    until("1")\n'
    "    time.sleep(pause)'"
)
SEED = 20261123


def test_a_hundred_flaps_are_a_hundred(
    machine: VirtualMachine, uplink: Uplink, adapter: Rtl8156
) -> None:
    chance = random.Random(SEED)  # the same life each time: a failure comes back
    left = FLAPS_IN_ALL
    interruptions: list[Callable[[], object]] = [
        lambda: replug(uplink, adapter, "ss"),
        lambda: replug(uplink, adapter, "hs"),
        lambda: replug(uplink, adapter, "ss"),
        lambda: machine.run("systemctl restart nodemend"),
        lambda: machine.run("systemctl kill -s KILL nodemend"),
    ]
    while left:
        size = min(left, chance.randint(5, 15))
        pauses = [round(chance.uniform(0.05, 0.25), 2) for _ in range(size)]
        machine.run(BURST.format(pauses=pauses), timeout_seconds=300)
        left -= size
        if interruptions:
            interruptions.pop(0)()
    assert not interruptions

    text = uplink.wait_for_sample(FLAPS, FLAPS_IN_ALL)
    truth = adapter.truth()["counters"]
    disconnects = sample(text, DISCONNECTS)
    assert (FLAPS_IN_ALL, FLAPS_IN_ALL) == (
        truth["carrier_down_reported"],
        sample(text, LOSSES),
    )
    assert truth["unplugs"] == disconnects == 3
    assert 0 == sample(text, 'nodemend_nic_unobserved_gaps_total{nic="uplink"}')


def replug(uplink: Uplink, adapter: Rtl8156, specimen: str) -> None:
    """Into the plug where it was; the next flap needs it up again."""
    adapter.unplug()
    uplink.wait_for_sample(PRESENT, 0)
    adapter.plug(specimen)
    uplink.wait_for_sample('nodemend_nic_carrier{nic="uplink"}', 1)
    uplink.machine.wait_until(f"grep -qx 1 /sys/class/net/{DEVICE}/carrier")


@pytest.mark.parametrize("machine", ["bookworm"], indirect=True)
def test_a_replug_that_nobody_saw_is_one_disconnect_and_a_gap(
    machine: VirtualMachine, uplink: Uplink, adapter: Rtl8156
) -> None:
    machine.run("systemctl stop nodemend")
    adapter.plug()
    machine.run("systemctl start nodemend")
    uplink.wait_for_sample(DISCONNECTS, 1)

    text = uplink.wait_for_sample(PRESENT, 1)
    assert 1 == sample(text, 'nodemend_nic_unobserved_gaps_total{nic="uplink"}')
    assert (0, 0) == (sample(text, LOSSES), sample(text, FLAPS))


NAMESPACE, STORM = "storm", "/run/storm"
IN_NAMESPACE = (
    f"env STATE_DIRECTORY={STORM}/state RUNTIME_DIRECTORY={STORM}/run ip netns exec {NAMESPACE} "
)


@pytest.mark.parametrize("machine", ["bookworm"], indirect=True)
def test_nothing_is_missing_after_ten_thousand_events_too_many(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    """In a network namespace, with the NIC: what overflows the buffer is not what is counted."""
    machine.run("systemctl stop nodemend")
    machine.run(f"ip netns add {NAMESPACE} && ip link set {DEVICE} netns {NAMESPACE}")
    try:
        in_it = f"ip netns exec {NAMESPACE}"
        machine.run(f"{in_it} ip link set lo up && {in_it} ip link add noise type dummy")
        machine.run(f"{in_it} ip link set {DEVICE} up")
        machine.write(
            f"{STORM}/config.yaml",
            'listen: "127.0.0.1:19101"\nusb_nic:\n  match: [{driver: r8152, name: uplink}]\n',
        )
        machine.run(
            f"systemd-run --unit storm {IN_NAMESPACE} nodemend run --config {STORM}/config.yaml"
        )
        ask = f"{IN_NAMESPACE} nodemend status --json"
        machine.wait_until(f"{ask} | grep -q '\"carrier\": true'")
        machine.run("systemctl kill -s STOP storm")
        machine.run(
            f"yes 'link set noise up\nlink set noise down' | head -n 10000 | {in_it} ip -batch -",
            timeout_seconds=300,
        )
        machine.run(f"{in_it} {BURST.format(pauses=[0.05] * 20)}", timeout_seconds=120)
        machine.run("systemctl kill -s CONT storm")

        machine.wait_until(f"{ask} | grep -q '\"flaps_total\": 20,'")
        said = machine.run("journalctl -u storm --no-pager -o cat").stdout
        metrics = machine.run(f"{in_it} python3 -c '{FETCH}'").stdout
    finally:
        machine.run("systemctl stop storm", check=False)
        machine.run(f"ip netns del {NAMESPACE}", check=False)
        machine.run("systemctl restart rtl8156", timeout_seconds=120)
    assert "rtnetlink lost messages: events came faster than they were read (ENOBUFS)" in said
    assert 20 == sample(metrics, LOSSES)
    assert 1 == sample(metrics, 'nodemend_source_dropped_total{source="rtnetlink"}')
    assert 1 == sample(metrics, 'nodemend_source_resyncs_total{source="rtnetlink"}')


FETCH = (
    "import urllib.request; "
    'print(urllib.request.urlopen("http://127.0.0.1:19101/metrics").read().decode())'
)
