"""Whether a CNI is at work, what its processes are, and who has a link in his hands."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent.observe import cni_runtime, meddlers
from agent.observe.cni_runtime import read_runtime
from tests.unit.observe.procs import POD, Procs

OWNERS = ("cilium-agent", "flanneld")
UDEV_SECONDS = 60


@pytest.fixture
def procs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Procs:
    """A hundred seconds after the boot."""
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: 100.0)
    procs = Procs(tmp_path)
    procs.process(1, "systemd", "/init.scope")
    procs.process(4711, "cilium-agent", POD, began_seconds=40, number_there=1)
    procs.process(4800, "cilium-agent", POD, began_seconds=90, number_there=7)
    return procs


def unit(procs: Procs, name: str, *pids: int, base: str = "sys/fs/cgroup/system.slice") -> None:
    directory = procs.root / base / f"{name}.service"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))


def test_the_eldest_owner_counts_and_each_has_its_number(procs: Procs) -> None:
    found = read_runtime(OWNERS, procs.root)

    assert {"cilium-agent": 60} == found.owner_seconds
    assert (1, 7) == found.owner_ports
    assert not found.is_active


def test_nobody_is_looked_for_where_nobody_is_asked_for(procs: Procs) -> None:
    assert {} == read_runtime((), procs.root).owner_seconds


@pytest.mark.parametrize("name", ["k3s", "k3s-agent", "rke2-server", "kubelet"])
@pytest.mark.parametrize("base", cni_runtime._CGROUPS)
def test_it_is_at_work_while_the_unit_s_own_process_runs(
    procs: Procs, name: str, base: str
) -> None:
    procs.process(600, name, f"/system.slice/{name}.service")
    unit(procs, name, 600, base=base)

    assert read_runtime((), procs.root).is_active


def test_the_shims_that_outlive_k3s_are_no_k3s(procs: Procs) -> None:
    procs.process(600, "containerd-shim", "/system.slice/k3s.service")
    unit(procs, "k3s", 600, 601)

    assert not read_runtime((), procs.root).is_active


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\n", "10.42.0.0/16"),
        ("FLANNEL_SUBNET=10.42.1.1/24\n", ""),
        ("FLANNEL_NETWORK=all of it\n", ""),
        (None, ""),
    ],
)
def test_flannels_network(procs: Procs, text: str | None, network: str) -> None:
    if text is not None:
        (procs.root / "run/flannel").mkdir(parents=True)
        (procs.root / "run/flannel/subnet.env").write_text(text)

    assert network == read_runtime((), procs.root).pod_network


# --- who has a link in his hands ------------------------------------------------------------------


def file(root: Path, path: str, text: str, age_seconds: float = 0) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    then = time.time() - age_seconds
    os.utime(root / path, (then, then))


@pytest.mark.parametrize(
    ("state", "unit"),
    [
        ("configured", "systemd-networkd.service"),
        ("configuring", "systemd-networkd.service"),
        ("failed", "systemd-networkd.service"),
        ("unmanaged", None),
        ("pending", None),
    ],
)
def test_networkd_has_the_links_that_it_manages(
    tmp_path: Path, state: str, unit: str | None
) -> None:
    # A link that no .network file matches has no NETWORK_FILE (sd-network(3)).
    matched = "" if unit is None else "NETWORK_FILE=/etc/systemd/network/99-broad.network\n"
    file(tmp_path, "run/systemd/netif/state", "")
    file(tmp_path, "run/systemd/netif/links/5", f"# private\nADMIN_STATE={state}\n{matched}")

    found = meddlers.infer(5, tmp_path)
    assert unit == (found.unit if found is not None else None)
    assert meddlers.infer(6, tmp_path) is None


def test_network_manager_has_those_that_it_manages(tmp_path: Path) -> None:
    file(tmp_path, "run/NetworkManager/devices/5", "[device]\nmanaged=true\n")
    file(tmp_path, "run/NetworkManager/devices/6", "[device]\nmanaged=false\n")

    found = meddlers.infer(5, tmp_path)
    assert found is not None
    assert "NetworkManager.service" == found.unit
    assert meddlers.infer(6, tmp_path) is None


def test_udev_has_what_it_has_just_written_of(tmp_path: Path) -> None:
    file(tmp_path, "run/udev/data/n5", "I:1\n")
    file(tmp_path, "run/udev/data/n6", "I:1\n", UDEV_SECONDS)

    found = meddlers.infer(5, tmp_path)
    assert found is not None
    assert "systemd-udevd.service" == found.unit
    assert meddlers.infer(6, tmp_path) is None
