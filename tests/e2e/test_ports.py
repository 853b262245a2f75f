"""A NIC that is a port: the gateway is that of the bridge or bond, the judgement stays with it."""

from __future__ import annotations

import json

import pytest

from tests.e2e.uplink import DEVICE, GATEWAY, REACHABLE, Uplink
from tests.lab.rtl8156.client import Rtl8156

pytestmark = pytest.mark.parametrize("machine", ["bookworm"], indirect=True)

MASTERS = {
    "bridge": "ip link add {master} type bridge && ip link set {device} master {master}",
    "bond": "ip link add {master} type bond mode active-backup miimon 100 && "
    "ip link set {device} down && ip link set {device} master {master}",
}
MOVE_THE_ADDRESS = (
    "ip addr flush dev {device} && ip link set {master} up && "
    "ip addr add 192.168.77.2/24 dev {master} && "
    "ip route replace default via {gateway} dev {master}"
)


@pytest.mark.parametrize("kind", ["bridge", pytest.param("bond", marks=pytest.mark.full)])
def test_the_gateway_is_that_of_its_master(uplink: Uplink, adapter: Rtl8156, kind: str) -> None:
    machine, names = uplink.machine, {"device": DEVICE, "master": "up0", "gateway": GATEWAY}
    try:
        machine.run(MASTERS[kind].format(**names))
        machine.run(MOVE_THE_ADDRESS.format(**names))
        machine.wait_until("nodemend status | grep 'gateway 192.168.77.1 on up0 answers'")
        uplink.wait_for_state("healthy")
        adapter.fault("data_lost")
        uplink.wait_for_sample(REACHABLE, 0)
        told = uplink.wait_until_told("nic_unreachable", GATEWAY)
    finally:
        machine.run("ip link del up0")

    assert ("uplink", DEVICE) == (told["NODEMEND_NIC"], told["NODEMEND_DEVICE"])


def test_whatever_carries_the_default_route_is_watched(uplink: Uplink) -> None:
    machine = uplink.machine
    machine.run("ip route add default via 10.0.2.2 dev enp0s2 metric 5000")
    try:
        machine.wait_until("nodemend status | grep '^pci-0000:00:02.0: HEALTHY'")
        nics = json.loads(machine.run("nodemend status --json").stdout)["nics"]
    finally:
        machine.run("ip route del default via 10.0.2.2 dev enp0s2 metric 5000")

    (onboard,) = [nic for nic in nics if nic["device"] == "enp0s2"]
    assert ("virtio_net", None) == (onboard["driver"], onboard["usb_speed_bits"])
