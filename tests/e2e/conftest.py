"""Booted nodes for the tests on real kernels; one machine per release serves all of its tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Daemon
from tests.e2e.uplink import Uplink
from tests.lab import images
from tests.lab.machine import VirtualMachine, booted
from tests.lab.rtl8156.client import Rtl8156

HERE = Path(__file__).parent
_BOOTED = pytest.StashKey[list[VirtualMachine]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BOOTED] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The second release has another kernel and another systemd: one module shows it, all in full.

    Everything on both would be the better part of an hour.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("lab")
            release = getattr(item, "callspec", None) and item.callspec.params.get("machine")  # type: ignore[attr-defined]
            if release == "trixie" and item.path.stem != "test_flap":
                item.add_marker("full")


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
    """A fresh adapter, and wait until the host has settled on it.

    A test that begins while udev and networkd are still busy with the adapter finds a node in
    a state that no node stays in, and pulling it out then leaves them behind confused.
    """
    anew = "systemctl is-active -q rtl8156 && nic anew"
    machine.run(f"{anew} || systemctl restart rtl8156", timeout_seconds=120)
    machine.wait_until("ls -d /sys/bus/usb/drivers/r8152/*:1.0/net/enx6c1ff71be8c8")
    machine.wait_until("ping -I enx6c1ff71be8c8 -c 1 -W 2 192.168.77.1")


@pytest.fixture
def adapter(machine: VirtualMachine) -> Rtl8156:
    """The machine's adapter, whole and with a working network behind it."""
    plug_in(machine)
    return Rtl8156(machine)


@pytest.fixture
def uplink(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[Uplink]:
    """The product, observing the adapter as the node's uplink, its gateway known to answer."""
    uplink = Uplink(machine)
    try:
        uplink.wait_until_reached()
        uplink.wait_for_state("healthy")
        yield uplink
    finally:
        uplink.close()


@pytest.fixture
def daemon(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[Daemon]:
    """The product, observing, with the adapter named `uplink`."""
    daemon = Daemon(machine, "usb_nic:\n  match: [{driver: r8152, name: uplink}]\n")
    yield daemon
    daemon.stop()
