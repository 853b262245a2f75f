"""The emulated adapter before the kernel's own r8152: every fault does what its table says."""

from __future__ import annotations

import pytest

from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

# The newer release's driver is shown by test_flap.py; its faults would only cost more minutes.
pytestmark = pytest.mark.parametrize("machine", ["bookworm"], indirect=True, scope="session")

NET = "/sys/class/net/enx6c1ff71be8c8"
PING = "ping -I enx6c1ff71be8c8 -c 1 -W 2 192.168.77.1"
# USBDEVFS_RESET, linux/usbdevice_fs.h: what a later repair will do.
RESET = (
    'python3 -c "import fcntl, os, pathlib; '
    f"usb = pathlib.Path('{NET}/device').resolve().parent; "
    "number = lambda name: int((usb / name).read_text()); "
    'node = f\'/dev/bus/usb/{number(\\"busnum\\"):03}/{number(\\"devnum\\"):03}\'; '
    'fcntl.ioctl(os.open(node, os.O_WRONLY), 0x5514)"'
)


@pytest.fixture
def kernel_log(machine: VirtualMachine, adapter: Rtl8156) -> str:
    """The command that prints the kernel's lines since the adapter was made whole."""
    cursor = machine.run("journalctl -k -n 1 --show-cursor -o cat | tail -n 1").stdout
    return f"journalctl -k -o cat --after-cursor='{cursor.strip().removeprefix('-- cursor: ')}'"


def test_r8152_binds_at_full_speed_and_traffic_passes(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    assert "2500" == machine.read(f"{NET}/speed").strip()
    assert machine.run(f"readlink {NET}/device/driver").stdout.strip().endswith("/r8152")
    assert " 0% packet loss" in machine.run("ping -c 3 -i 0.2 192.168.77.1").stdout
    truth = adapter.truth()["counters"]
    assert truth["frames_from_host"] > 0
    assert truth["frames_to_host"] > 0


def test_the_link_follows_and_the_truth_counts(machine: VirtualMachine, adapter: Rtl8156) -> None:
    before = int(machine.read(f"{NET}/carrier_down_count"))
    for _ in range(3):
        assert adapter.link_down()["reported"]
        machine.wait_until(f"grep -qx 0 {NET}/carrier")
        assert adapter.link_up()["reported"]
        machine.wait_until(f"grep -qx 1 {NET}/carrier")

    truth = adapter.truth()["counters"]
    assert (3, 3) == (truth["carrier_down_reported"], truth["carrier_up_reported"])
    assert 3 == int(machine.read(f"{NET}/carrier_down_count")) - before


def test_speed(machine: VirtualMachine, adapter: Rtl8156) -> None:
    adapter.link_down()
    adapter.fault("speed", "1000")
    adapter.link_up()
    machine.wait_until(f"grep -qx 1 {NET}/carrier")

    machine.wait_until(f"grep -qx 1000 {NET}/speed")


def test_intr_dead_makes_the_carrier_lie(
    machine: VirtualMachine, adapter: Rtl8156, kernel_log: str
) -> None:
    adapter.fault("intr_dead")
    machine.wait_until(f"{kernel_log} | grep 'Stop submitting intr, status -71'")

    assert not adapter.link_down()["reported"]
    assert "1" == machine.read(f"{NET}/carrier").strip()
    assert not adapter.link_up()["reported"]


def test_tx_eproto(machine: VirtualMachine, adapter: Rtl8156, kernel_log: str) -> None:
    adapter.fault("tx_eproto")
    assert machine.run(PING, check=False).returncode == 1
    machine.wait_until(f"{kernel_log} | grep 'Tx status -71'")
    adapter.fault("tx_ok")

    machine.wait_until(PING)


def test_tx_stall(machine: VirtualMachine, adapter: Rtl8156, kernel_log: str) -> None:
    adapter.fault("tx_stall")
    # The watchdog looks at a queue that is stopped: first it has to be full.
    machine.run("ping -f -c 3000 -w 10 192.168.77.1", check=False)

    machine.wait_until(f"{kernel_log} | grep -E 'NETDEV WATCHDOG|Tx timeout'")


def test_data_lost_is_silent(machine: VirtualMachine, adapter: Rtl8156, kernel_log: str) -> None:
    adapter.fault("data_lost")

    assert machine.run(PING, check=False).returncode == 1
    assert "1" == machine.read(f"{NET}/carrier").strip()
    assert "" == machine.run(kernel_log).stdout.replace("-- No entries --", "").strip()
    adapter.fault("data_ok")
    machine.wait_until(PING)


def test_ctl_fail_is_the_wedge_and_only_a_reset_ends_it(
    machine: VirtualMachine, adapter: Rtl8156, kernel_log: str
) -> None:
    adapter.fault("ctl_fail")
    machine.run(f"cat {NET}/speed", check=False, timeout_seconds=120)
    machine.wait_until(f"{kernel_log} | grep 'giving up'", deadline_seconds=120)
    adapter.fault("ctl_ok")

    assert "1" == machine.read(f"{NET}/carrier").strip(), "it lies"
    assert machine.run(PING, check=False).returncode == 1
    ifindex = machine.read(f"{NET}/ifindex")
    machine.run(RESET)
    machine.wait_until(PING)
    assert ifindex == machine.read(f"{NET}/ifindex")


def test_ctl_hang_holds_a_reader_up(machine: VirtualMachine, adapter: Rtl8156) -> None:
    adapter.fault("ctl_hang")

    assert 124 == machine.run(f"timeout 2 cat {NET}/speed", check=False).returncode
    adapter.fault("ctl_ok")


def test_unplugged_nobody_answers_in_its_place(machine: VirtualMachine, adapter: Rtl8156) -> None:
    adapter.unplug()
    machine.wait_until(f"! test -e {NET}")

    assert machine.run("ping -c 1 -W 2 192.168.77.1", check=False).returncode


def test_a_pulled_plug_does_not_wait_for_what_is_pending(
    machine: VirtualMachine, adapter: Rtl8156
) -> None:
    adapter.fault("ctl_hang")
    machine.run(f"timeout 1 cat {NET}/speed", check=False)

    adapter.unplug()

    machine.wait_until(f"! test -e {NET}", deadline_seconds=20)
    adapter.plug()
    machine.wait_until(PING)


def test_unplug_and_the_fall_to_usb_2(
    machine: VirtualMachine, adapter: Rtl8156, kernel_log: str
) -> None:
    adapter.unplug()
    machine.wait_until(f"{kernel_log} | grep 'USB disconnect'")
    machine.wait_until(f"! test -e {NET}")
    adapter.plug("hs")
    machine.wait_until(f"test -e {NET}")

    assert "480" == machine.read(f"{NET}/device/../speed").strip()


def test_the_emulator_restarts_as_a_unit(machine: VirtualMachine, adapter: Rtl8156) -> None:
    machine.run("systemctl kill -s KILL rtl8156; systemctl restart rtl8156")
    machine.wait_until(PING)

    assert 1 == adapter.truth()["counters"]["plugs"]


def test_an_unknown_fault_is_refused_in_words(machine: VirtualMachine, adapter: Rtl8156) -> None:
    assert (
        "unknown fault 'explode'; known: link_down"
        in machine.run("nic explode", check=False).stdout
    )
    assert "intr_dead" in machine.run("nic --help", check=False).stdout
