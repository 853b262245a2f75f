"""Units are restarted through systemctl, on the evidence that the link is the one decided on."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.act import command
from agent.act.child import perform
from agent.act.evidence import Refused
from agent.model.actions import RestartUnits
from tests.unit.act.test_network_service import says
from tests.unit.act.test_steps import EVIDENCE
from tests.unit.act.tree import Tree

pytestmark = pytest.mark.allow_subprocess


def restart(tree: Tree, *names: str, **other: object) -> None:
    perform(RestartUnits(**{**EVIDENCE, **other}, units=names), tree.sysfs, tree.dev)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place), prepend=":")
    return place


def test_those_that_run_are_restarted_and_not_waited_for(tree: Tree, programs: Path) -> None:
    says(programs / "systemctl", f'echo "$@" > {programs}/asked')
    restart(tree, "k3s-agent.service", "other.service")

    asked = (programs / "asked").read_text().strip()
    assert "--no-block try-restart -- k3s-agent.service other.service" == asked


def test_its_refusal_is_told(tree: Tree, programs: Path) -> None:
    says(programs / "systemctl", "echo 'Access denied' >&2; exit 4")
    with pytest.raises(OSError, match=r"try-restart -- k3s-agent\.service: Access denied"):
        restart(tree, "k3s-agent.service")


def test_one_that_hangs_is_not_waited_for(
    tree: Tree, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(programs / "systemctl", "exec sleep 600")
    monkeypatch.setattr(command, "SECONDS_MAX", 0.1)
    with pytest.raises(OSError, match="no end within 0 s"):
        restart(tree, "k3s-agent.service")


@pytest.mark.parametrize("name", ["--version", "k3s-agent", "a b.service", "../x.service"])
def test_only_services_are(tree: Tree, programs: Path, name: str) -> None:
    says(programs / "systemctl", f"touch {programs}/asked")
    with pytest.raises(Refused, match="is no service"):
        restart(tree, name)
    assert not (programs / "asked").exists()


def test_another_interface_is_refused(tree: Tree, programs: Path) -> None:
    says(programs / "systemctl", f"touch {programs}/asked")
    with pytest.raises(Refused):
        restart(tree, "k3s-agent.service", ifindex=9)
    assert not (programs / "asked").exists()
