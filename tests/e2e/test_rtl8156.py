"""The emulated adapter under load: bursts, everything pending, other drivers, each kernel line."""

from __future__ import annotations

import shlex

import pytest

from tests.lab.images import LabError
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156
from tests.lab.rtl8156.faults import FAULTS

DEVICE = "enx6c1ff71be8c8"
SYSFS = f"/sys/class/net/{DEVICE}"
GATEWAY = "192.168.77.1"
PING = f"ping -c 1 -W 1 -I {DEVICE} {GATEWAY}"
# TCP, whose checksums the driver leaves to the hardware.
SERVE = shlex.quote(
    "import socket; listener = socket.create_server(('', 8000)); "
    "connection, _ = listener.accept(); connection.sendall(b'x' * 200000)"
)
FETCH = shlex.quote(
    f"import socket; connection = socket.create_connection(('{GATEWAY}', 8000), 20); "
    "print(len(connection.makefile('rb').read()))"
)
BURST = shlex.quote(
    "from tests.lab.rtl8156.control import ask; "
    "[ask(name, []) for _ in range(20) for name in ('link_down', 'link_up')]"
)

# What makes the kernel meet the fault, and what has to be so before.
PREPARED_BY = {"link_up": "link_down", "plug": "unplug"}
PROVOKED_BY = {
    "tx_eproto": f"{PING} || true",
    # The watchdog looks at a queue that is full. Unanswered, ARP would end the frames before that.
    "tx_stall": (
        f"ip neigh replace {GATEWAY} lladdr 02:00:00:00:00:01 dev {DEVICE} nud permanent; "
        f"ping -f -I {DEVICE} -c 3000 -w 10 {GATEWAY} || true"
    ),
    "ctl_fail": f"cat {SYSFS}/speed || true",
    "ctl_hang": f"timeout 5 cat {SYSFS}/speed || true",
}


def now(machine: VirtualMachine) -> str:
    return machine.run("date +%s.%N").stdout.strip()


def wait_for_kernel(machine: VirtualMachine, words: str, since: str) -> None:
    """Until the kernel has said so."""
    machine.wait_until(f"journalctl -k -o cat --since=@{since} | grep -F -- '{words}'")


def test_traffic_goes_through_it(machine: VirtualMachine, adapter: Rtl8156) -> None:
    before = adapter.truth()["counters"]
    assert " 0% packet loss" in machine.run(f"ping -I {DEVICE} -c 5 -i 0.2 {GATEWAY}").stdout
    machine.run(f"ip netns exec lan timeout 60 python3 -c {SERVE} > /dev/null 2>&1 &")
    machine.wait_until("ip netns exec lan ss -Hltn | grep :8000")
    received = machine.run(f"python3 -c {FETCH}")
    after = adapter.truth()["counters"]

    assert "200000" == received.stdout.strip()
    assert after["frames_from_host"] >= before["frames_from_host"] + 5
    assert after["frames_to_host"] >= before["frames_to_host"] + 5 + 200_000 // 1500


@pytest.mark.full
@pytest.mark.parametrize("machine", ["bookworm"], indirect=True, scope="session")
def test_the_kernel_says_what_the_table_says(machine: VirtualMachine, adapter: Rtl8156) -> None:
    for name, fault in FAULTS.items():
        adapter.plug()  # a new one: every fault is forgotten
        machine.wait_until(PING)
        if name in PREPARED_BY:
            adapter.fault(PREPARED_BY[name])
        since = now(machine)
        adapter.fault(name)
        machine.run(PROVOKED_BY.get(name, "true"))
        if fault.kernel_says:
            wait_for_kernel(machine, fault.kernel_says, since)


def test_no_flap_of_a_burst_is_lost(machine: VirtualMachine, adapter: Rtl8156) -> None:
    count = f"cat {SYSFS}/carrier_down_count {SYSFS}/carrier_up_count"
    down, up = map(int, machine.run(count).stdout.split())
    machine.run(f"cd /opt/lab && python3 -c {BURST}")
    machine.wait_until(f"grep -qx {up + 20} {SYSFS}/carrier_up_count")
    truth = adapter.truth()["counters"]

    assert [down + 20, up + 20] == [int(word) for word in machine.run(count).stdout.split()]
    assert (20, 20) == (truth["carrier_down_reported"], truth["carrier_up_reported"])


def test_the_moment_is_the_kernels_own(machine: VirtualMachine, adapter: Rtl8156) -> None:
    since = now(machine)
    told = adapter.link_down()
    wait_for_kernel(machine, "carrier off", since)
    (off,) = [e for e in machine.journal(f"-k --since=@{since}") if "carrier off" in e["MESSAGE"]]
    delay_seconds = int(off["__REALTIME_TIMESTAMP"]) / 1e6 - told["realtime_ns"] / 1e9

    assert (True, True) == (told["reported"], told["heeded"])
    # journald derives the time of a kernel message from the monotonic clock: not to the last ms.
    assert -0.1 < delay_seconds < 0.5


def test_the_carrier_lies_once_the_interrupt_endpoint_is_dead(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    assert adapter.fault("intr_dead")["reported"]
    assert not adapter.link_down()["reported"]
    assert "1" == machine.read(f"{SYSFS}/carrier").strip(), "it lies"
    assert machine.run(PING, check=False).returncode

    machine.run(f"ip link set {DEVICE} down && ip link set {DEVICE} up")
    machine.wait_until(f"grep -qx 0 {SYSFS}/carrier")
    adapter.link_up()
    machine.wait_until(PING)


def test_nobody_is_told_while_the_interface_is_down(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    machine.run(f"ip link set {DEVICE} down")
    assert not adapter.link_down()["reported"]
    adapter.link_up()
    machine.run(f"ip link set {DEVICE} up")
    machine.wait_until(PING)
    assert 0 == adapter.truth()["counters"]["carrier_down_reported"]


def test_unplugged_with_everything_pending_it_comes_back_on_usb_2(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    adapter.fault("tx_stall")
    adapter.fault("ctl_hang")
    machine.run(f"(ping -I {DEVICE} -c 3 -i 0.2 {GATEWAY}; cat {SYSFS}/speed) > /dev/null 2>&1 &")
    adapter.unplug()
    machine.wait_until(f"! test -e {SYSFS}")
    with pytest.raises(LabError, match="not plugged in"):
        adapter.link_down()
    adapter.plug("hs")
    machine.wait_until(PING)

    truth = adapter.truth()["counters"]
    assert "1000" == machine.read(f"{SYSFS}/speed").strip(), "no 2.5 Gb/s over USB 2"
    assert (1, 2) == (truth["unplugs"], truth["plugs"])


def test_cdc_ncm_in_the_other_configuration(machine: VirtualMachine, adapter: Rtl8156) -> None:
    device = machine.run(f"realpath {SYSFS}/device/..").stdout.strip()
    machine.run(f"echo 2 > {device}/bConfigurationValue")
    machine.wait_until(f"realpath {SYSFS}/device/driver | grep -x '.*/cdc_ncm'")
    machine.wait_until(f"grep -qx 1 {SYSFS}/carrier")

    assert adapter.link_down()["reported"]
    machine.wait_until(f"grep -qx 0 {SYSFS}/carrier")
    assert adapter.link_up()["reported"]
    machine.wait_until(f"grep -qx 1 {SYSFS}/carrier")
    truth = adapter.truth()["counters"]
    assert (1, 1) == (truth["carrier_down_reported"], truth["carrier_up_reported"])


def test_what_is_no_fault_is_refused(machine: VirtualMachine, adapter: Rtl8156) -> None:
    for words in (("explode",), ("speed", "10"), ("link_down", "now"), ("plug", "ss", "hs")):
        with pytest.raises(LabError, match=r"known:|takes"):
            adapter.fault(*words)
    listed = machine.run("nic --help").stdout
    assert all(name in listed for name in FAULTS)
