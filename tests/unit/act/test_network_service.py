"""Who manages a link is asked to apply its configuration anew, and what it says counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.act import command, network_service
from agent.model.identity import NetworkService

pytestmark = pytest.mark.allow_subprocess
COMMANDS = [
    ("networkd", "networkctl", "reconfigure enx1"),
    ("NetworkManager", "nmcli", "device reapply enx1"),
]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def says(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(("service", "program", "asked"), COMMANDS)
def test_it_is_asked_about_the_link(
    service: NetworkService, program: str, asked: str, programs: Path
) -> None:
    says(programs / program, f'echo "$@" > {programs}/asked')
    network_service.apply_anew(service, "enx1")

    assert asked == (programs / "asked").read_text().strip()


def test_its_refusal_is_told(programs: Path) -> None:
    says(programs / "networkctl", "echo 'Interface enx1 not found.' >&2; exit 1")
    with pytest.raises(OSError, match=r"networkctl reconfigure enx1: Interface enx1 not found\."):
        network_service.apply_anew("networkd", "enx1")


def test_one_that_hangs_is_not_waited_for(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(programs / "nmcli", "exec sleep 600")
    monkeypatch.setattr(command, "SECONDS_MAX", 0.1)
    with pytest.raises(OSError, match="nmcli device reapply enx1: no end within 0 s"):
        network_service.apply_anew("NetworkManager", "enx1")


def test_whether_networkd_runs_is_in_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_service, "NETWORKD_RUNS", tmp_path / "state")
    assert not network_service.networkd_runs()
    (tmp_path / "state").touch()
    assert network_service.networkd_runs()
