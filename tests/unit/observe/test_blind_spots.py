"""What a process may not see or do, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.observe.blind_spots import blind_spots


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine on which root sees everything."""
    (tmp_path / "sys/bus/usb").mkdir(parents=True)
    for process in ("1", "self"):
        (tmp_path / "proc" / process / "ns").mkdir(parents=True)
        (tmp_path / "proc" / process / "ns/net").symlink_to("net:[4026531840]")
    (tmp_path / "proc/self/status").write_text("Name:\tx\nCapEff:\t000001ffffffffff\n")
    return tmp_path


def test_root_on_a_host_sees_everything(root: Path) -> None:
    assert () == blind_spots(root)


def test_no_usb(root: Path) -> None:
    (root / "sys/bus/usb").rmdir()

    (spot,) = blind_spots(root)
    assert "/sys/bus/usb is missing" in spot


@pytest.mark.parametrize("capabilities", ["0000000000002000", "fffffffffffeefff"])
def test_no_net_admin(root: Path, capabilities: str) -> None:
    (root / "proc/self/status").write_text(f"CapEff:\t{capabilities}\n")

    (spot,) = blind_spots(root)
    assert "CAP_NET_ADMIN" in spot


def test_no_net_raw(root: Path) -> None:
    (root / "proc/self/status").write_text("CapEff:\t0000000000001000\n")

    (spot,) = blind_spots(root)
    assert "reachability is unknown" in spot


def test_another_network_namespace(root: Path) -> None:
    link = root / "proc/self/ns/net"
    link.unlink()
    link.symlink_to("net:[4026532000]")

    (spot,) = blind_spots(root)
    assert "not in the host's network namespace" in spot


def test_a_process_1_that_may_not_be_looked_at_is_no_finding(root: Path) -> None:
    (root / "proc/1/ns/net").unlink()

    assert () == blind_spots(root)
