"""Booted nodes for the tests on real kernels; one machine per release serves all of its tests."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.e2e.service import Daemon
from tests.e2e.uplink import CONFIG, REMEDIATE, Uplink, cared_for
from tests.lab import images
from tests.lab.images import LabError
from tests.lab.machine import VirtualMachine, booted
from tests.lab.rtl8156.client import Rtl8156

HERE = Path(__file__).parent
SERVICE_MODULES = ("test_service", "test_sources")
LAB_MODULES = ("test_lab", "test_rtl8156")
# Where one process runs all of it: containers are shared, a page tells of both releases, and no
# machine is needed.
UNDIVIDED_MODULES = (
    *("test_container", "test_remediation", "test_cni"),
    *("test_forecast", "test_match", "test_cni_apply"),
)
PORTS = "$(ls /sys/devices/platform/vhci_hcd.0/usb*/*/usb*-port*/disable 2>/dev/null)"
_BOOTED = pytest.StashKey[list[VirtualMachine]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BOOTED] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each release has a part of the tests, and in full all of them.

    The NIC is shown on the first one, the service on the second, which has another kernel and
    another systemd. Everything on both would be the better part of an hour. The tests of the lab
    itself are for those who change it.
    """
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker("lab")
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        release = parameters.get("machine") or parameters.get("container") or "bookworm"
        is_elsewhere = (item.path.stem in SERVICE_MODULES) != (release == "trixie")
        if ("machine" in parameters and is_elsewhere) or item.path.stem in LAB_MODULES:
            item.add_marker("full")


class _ByMachine(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """A file at a time, and all that needs the second release's machine at once.

    One of the processes boots it, and the other one need not. (--dist=loadgroup would do: with
    pytest 9.2 xdist 3.8 takes each test for a group of its own, without a word.)
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        is_second = "trixie" in test and Path(file).stem not in UNDIVIDED_MODULES
        return "trixie" if is_second else file


@pytest.hookimpl(optionalhook=True)  # without xdist there is nothing to share out
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByMachine:
    """Who runs what where several processes do."""
    return _ByMachine(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep what the nodes have to say about a failure: afterwards they are gone."""
    report = yield
    if report.failed and HERE in item.path.parents:  # type: ignore[attr-defined]
        for node in item.config.stash[_BOOTED]:
            with contextlib.suppress(Exception):
                node.keep_serial_log()
                log = node.run("journalctl --no-pager -o short-precise -n 2000").stdout
                kept = images.ARTEFACTS / f"{item.name}-{node.name}.journal"
                kept.write_text(log)
                report.sections.append(("lab", f"the journal of {node.name}: {kept}"))  # type: ignore[attr-defined]
    return report


@pytest.fixture(scope="session", params=["bookworm", "trixie"])
def machine(request: pytest.FixtureRequest) -> Iterator[VirtualMachine]:
    """A virtual machine of each release, its emulated RTL8156B plugged in."""
    if os.geteuid() != 0:
        pytest.fail("the lab boots machines: run `make lab` as root")
    with booted(request.param) as node:
        request.config.stash[_BOOTED].append(node)
        plug_in(node)
        yield node
        request.config.stash[_BOOTED].remove(node)


def plug_in(machine: VirtualMachine) -> None:
    """A fresh adapter; where the kernel hangs on the one before, on a machine that booted anew.

    Else one test that wedges the kernel's USB would fail every test after it.
    """
    try:
        _plug_in(machine)
    except LabError:
        _keep_what_hangs(machine)
        machine.cut_power()
        _plug_in(machine)


def _plug_in(machine: VirtualMachine) -> None:
    """Plug it in, and wait until the host has settled on it.

    A test that begins while udev and networkd are still busy with the adapter finds a node in
    a state that no node stays in, and pulling it out then leaves them behind confused.
    """
    # The daemon of a test that failed would still be at it, and may have left the plug off.
    machine.run(f"systemctl stop nodemend; for port in {PORTS}; do echo 0 > $port || true; done")
    anew = "systemctl is-active -q rtl8156 && nic anew"
    machine.run(f"{anew} || systemctl restart rtl8156", timeout_seconds=120)
    machine.wait_until("ls -d /sys/bus/usb/drivers/r8152/*:1.0/net/enx6c1ff71be8c8", 120)
    machine.wait_until("ping -I enx6c1ff71be8c8 -c 1 -W 2 192.168.77.1")


def _keep_what_hangs(machine: VirtualMachine) -> None:
    """Where each task is that waits in the kernel: it is gone with the power."""
    images.ARTEFACTS.mkdir(exist_ok=True)
    machine.keep_serial_log()
    with contextlib.suppress(LabError):
        machine.run("echo w > /proc/sysrq-trigger; systemctl kill -s KILL rtl8156", check=False)
        blocked = machine.run("dmesg | tail -n 1000", check=False).stdout
        kept = images.ARTEFACTS / f"{machine.name}-{time.time():.0f}-blocked.log"
        kept.write_text(blocked)
        print(f"lab: {machine.name} does not take an adapter, is booted anew; see {kept}")


@pytest.fixture
def adapter(machine: VirtualMachine) -> Rtl8156:
    """The machine's adapter, whole and with a working network behind it."""
    plug_in(machine)
    return Rtl8156(machine)


@pytest.fixture
def uplink(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[Uplink]:
    """The product, observing the adapter as the node's uplink, its gateway known to answer."""
    with cared_for(machine, CONFIG) as uplink:
        yield uplink


@pytest.fixture
def repaired(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[Uplink]:
    """The uplink, in the care of a daemon that may repair it."""
    with cared_for(machine, REMEDIATE) as uplink:
        yield uplink


@pytest.fixture
def daemon(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[Daemon]:
    """The product, observing, with the adapter named `uplink`."""
    daemon = Daemon(machine, "usb_nic:\n  match: [{driver: r8152, name: uplink}]\n")
    yield daemon
    daemon.stop()
