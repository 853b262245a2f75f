"""Each source taken away from the running service: told within 30 s, and there again."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.service import Daemon
from tests.e2e.test_flap import wait_for
from tests.e2e.test_service import NICS, STATE, wait_until_told
from tests.lab.machine import PRODUCT_PORT, VirtualMachine
from tests.lab.node import Looks

WITHIN_SECONDS = 30.0
MONITOR_UP = 'nodemend_monitor_up{monitor="nic"}'

# A descriptor of the daemon's, shared: what is done to it here is done to the daemon's own.
SHARE = """
import ctypes, errno, os, socket, struct, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
process = os.pidfd_open(pid)
for name in os.listdir(f"/proc/{pid}/fd"):
    try:
        target = os.readlink(f"/proc/{pid}/fd/{name}")
    except FileNotFoundError:
        continue  # closed meanwhile
    if not target.startswith("socket:"):
        continue
    shared = libc.syscall(438, process, int(name), 0)  # pidfd_getfd
    if shared < 0 and ctypes.get_errno() == errno.EBADF:
        continue  # the same
    if shared < 0:
        sys.exit(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    sock = socket.socket(fileno=shared)
    PART
"""
DEAF = SHARE.replace(
    "PART",
    """if sock.family == socket.AF_NETLINK and sock.getsockname()[1] & 1:
        sock.setsockopt(270, 2, struct.pack("i", 1))  # SOL_NETLINK, NETLINK_DROP_MEMBERSHIP
        print("deaf")""",
)


@pytest.fixture
def service(machine: VirtualMachine) -> Iterator[Daemon]:
    daemon = Daemon(machine, NICS)
    wait_for(machine, MONITOR_UP, 1)
    yield daemon
    daemon.stop()


def health(machine: VirtualMachine) -> dict[str, Any]:
    try:
        return dict(json.loads(machine.get("/healthz")))
    except urllib.error.HTTPError as refused:
        with refused:
            return dict(json.loads(refused.read()))


def wait_for_condition(machine: VirtualMachine, source: str, condition: str) -> str:
    looks = Looks(WITHIN_SECONDS)
    while (found := health(machine)["sources"][source])["condition"] != condition:
        if not looks.rest():
            pytest.fail(f"{source} is {found}")
    return str(found["detail"])


def is_told_everywhere(machine: VirtualMachine, service: Daemon, source: str, words: str) -> None:
    assert words in wait_for_condition(machine, source, "failed")
    told = wait_until_told(service, "source_failed", seconds=WITHIN_SECONDS)
    assert (source, "4") == (told["NODEMEND_SOURCE"], told["PRIORITY"])
    assert words in told["MESSAGE"]
    said = machine.run("nodemend status").stdout
    assert f"{source}" in said
    assert words in said
    assert source in machine.run("systemctl show -p StatusText nodemend").stdout


def is_well_again(machine: VirtualMachine, service: Daemon, source: str) -> None:
    looks = Looks(60)
    while not health(machine)["healthy"]:
        assert looks.rest(), health(machine)
    told = wait_until_told(service, "source_recovered")
    assert source == told["NODEMEND_SOURCE"]
    assert "active" == machine.run("systemctl is-active nodemend").stdout.strip()


def main_pid(machine: VirtualMachine) -> str:
    return machine.run("systemctl show -p MainPID --value nodemend").stdout.strip()


def test_a_socket_that_has_gone_deaf_is_found_out(machine: VirtualMachine, service: Daemon) -> None:
    machine.write("/run/deaf.py", DEAF)
    assert "deaf" in machine.run(f"python3 /run/deaf.py {main_pid(machine)}").stdout
    machine.run(
        "ip link set enp0s2 alias changed mtu 1400 && ip link set enp0s2 name outside0", check=False
    )
    device = machine.run("ls -d /sys/bus/usb/drivers/r8152/*:1.0/net/*").stdout.strip()
    device = device.rpartition("/")[2]
    machine.run(
        f"ip link set {device} down && ip link set {device} address 02:00:00:00:00:77 "
        f"&& ip link set {device} up"
    )
    told = wait_until_told(service, "source_lost_messages", seconds=WITHIN_SECONDS + 15)

    assert "the socket has gone deaf" in told["MESSAGE"]
    wait_for(machine, 'nodemend_source_resyncs_total{source="rtnetlink"}', 1)
    machine.run(f"ip link set {device} down")
    wait_for(machine, 'nodemend_nic_carrier{nic="uplink"}', 0)
    machine.run(f"ip link set {device} up; systemctl restart rtl8156", timeout_seconds=120)


def test_a_journald_that_is_gone(machine: VirtualMachine, service: Daemon) -> None:
    machine.run("mv /run/systemd/journal/socket /run/systemd/journal/away")
    try:
        assert "is gone" in wait_for_condition(machine, "journal", "failed")
        assert "is gone" in machine.run("nodemend status").stdout
    finally:
        machine.run("mv /run/systemd/journal/away /run/systemd/journal/socket")
    is_well_again(machine, service, "journal")


def test_a_full_disk(machine: VirtualMachine) -> None:
    in_small_state = Daemon(machine, NICS, "mount -t tmpfs -o size=64k tmpfs /var/lib/nodemend")
    try:
        wait_for(machine, MONITOR_UP, 1)
        machine.wait_until(f"test -s {STATE}")
        machine.run("head -c 1M /dev/zero > /var/lib/nodemend/full", check=False)
        make_something_to_save(machine)
        is_told_everywhere(machine, in_small_state, "store", "No space left on device")
        wait_for(machine, MONITOR_UP, 1)
        machine.run("rm /var/lib/nodemend/full")
        is_well_again(machine, in_small_state, "store")
    finally:
        in_small_state.stop()
        machine.run("umount /var/lib/nodemend")


def test_a_file_system_that_became_read_only(machine: VirtualMachine) -> None:
    service = Daemon(machine, NICS, "mount -t tmpfs -o size=1M tmpfs /var/lib/nodemend")
    try:
        machine.wait_until(f"test -s {STATE}")
        machine.run(
            f"nsenter -t {main_pid(machine)} -m mount -o remount,ro /var/lib/nodemend && "
            "mount -o remount,ro /var/lib/nodemend"
        )
        make_something_to_save(machine)
        is_told_everywhere(machine, service, "store", "Read-only file system")
        machine.run(
            f"nsenter -t {main_pid(machine)} -m mount -o remount,rw /var/lib/nodemend && "
            "mount -o remount,rw /var/lib/nodemend"
        )
        is_well_again(machine, service, "store")
    finally:
        service.stop()
        machine.run("umount /var/lib/nodemend")


@pytest.mark.full
@pytest.mark.parametrize(
    ("content", "words"),
    [('{"format":99,"type":"StoreFile"}', "it has format 99"), ('{"format":3,', "it is damaged")],
    ids=["newer", "corrupt"],
)
def test_a_state_that_is_no_use_is_set_aside_and_it_goes_on_watching(
    machine: VirtualMachine, content: str, words: str
) -> None:
    written = f"printf %s '{content}' > {STATE}"
    service = Daemon(machine, "mode: remediate\n" + NICS, written)
    try:
        told = wait_until_told(service, "state_set_aside")
        assert words in told["MESSAGE"]
        assert content == machine.read(f"{STATE}.set-aside")
        forced = wait_until_told(service, "observe_forced")
        assert "every budget counts as spent for 60 minutes" in forced["MESSAGE"]
        wait_for(machine, 'nodemend_mode{mode="observe"}', 1)
        wait_for(machine, MONITOR_UP, 1)
    finally:
        service.stop()
        machine.run(f"rm -f {STATE}.set-aside")


@pytest.mark.full
def test_a_control_socket_that_was_removed_is_made_anew(
    machine: VirtualMachine, service: Daemon
) -> None:
    machine.run("rm /run/nodemend/control.sock")

    assert "nodemend " in machine.wait_until("nodemend status", WITHIN_SECONDS)


@pytest.mark.full
def test_a_listening_socket_that_was_shut_down_is_made_anew(
    machine: VirtualMachine, service: Daemon
) -> None:
    part = f"""if sock.family == socket.AF_INET and sock.getsockname()[1] == {PRODUCT_PORT}:
        sock.shutdown(socket.SHUT_RDWR)
        print("shut down")"""
    machine.write("/run/shut.py", SHARE.replace("PART", part))
    assert "shut down" in machine.run(f"python3 /run/shut.py {main_pid(machine)}").stdout

    told = wait_until_told(service, "source_failed", seconds=WITHIN_SECONDS)
    assert "http" == told["NODEMEND_SOURCE"]
    is_well_again(machine, service, "http")


def make_something_to_save(machine: VirtualMachine) -> None:
    """Another interface number is saved at once."""
    machine.run("nic anew", timeout_seconds=120)
