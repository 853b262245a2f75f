"""The process that carries out one action: what it takes, and how it tells how that ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.act import child
from agent.act.child import BEGUN, DONE, FAILED, REFUSED, main
from agent.codec import to_json
from agent.model.actions import (
    Action,
    Authorize,
    BindDriver,
    BounceLink,
    CycleConfiguration,
    PowerCyclePort,
    PowerPortOn,
    RaiseLink,
    Reauthorize,
    RebindDriver,
    ResetDevice,
    SetConfiguration,
    SetUsbPower,
)
from tests.unit.act.tree import Tree, refuse_writes

EVIDENCE = ("step-1", "step", "uplink", 3, "enx1", "2-1", 2)
ACTIONS: list[Action] = [
    SetUsbPower(*EVIDENCE, "on"),
    BounceLink(*EVIDENCE),
    RaiseLink(*EVIDENCE),
    ResetDevice(*EVIDENCE),
    RebindDriver(*EVIDENCE, "r8152", "2-1:1.0"),
    BindDriver(*EVIDENCE, "r8152", "2-1:1.0"),
    CycleConfiguration(*EVIDENCE, 1, "r8152"),
    SetConfiguration(*EVIDENCE, 1),
    Reauthorize(*EVIDENCE, 1, "r8152"),
    Authorize(*EVIDENCE, 1),
    PowerCyclePort(*EVIDENCE, "1-1", 0),
    PowerPortOn(*EVIDENCE, "1-1"),
]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    tree = Tree(tmp_path, monkeypatch)
    monkeypatch.setattr(child.perform, "__defaults__", (tree.sysfs, tree.dev))
    return tree


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_every_action_is_taken_and_done(
    action: Action, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree.dev / "bus/usb/002/002").touch()
    monkeypatch.setattr("fcntl.ioctl", lambda _descriptor, _request: 0)

    assert DONE == main([to_json(action)])


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_a_refusal_has_its_own_status_and_its_words(
    action: Action, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree.usb / "devnum").write_text("3\n")

    assert REFUSED == main([to_json(action)])
    assert "2-1 is device 3, not 2\n" == capsys.readouterr().err
    assert [] == tree.writes


def test_a_failure_names_the_file_and_says_what_the_kernel_said(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse_writes(tree.usb / "authorized")

    assert FAILED == main([to_json(Reauthorize(*EVIDENCE, 1, "r8152"))])
    path = tree.devices / "2-1/authorized"
    assert f"{path}: No space left on device, when 0 was written\n" == capsys.readouterr().err


def test_a_failure_without_a_file_has_its_own_words(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    control = tree.usb / "power/control"
    control.unlink()
    control.symlink_to("/dev/null")

    assert FAILED == main([to_json(SetUsbPower(*EVIDENCE, "on"))])
    assert capsys.readouterr().err.endswith("power/control says  after writing on\n")


@pytest.mark.parametrize("text", ["{", '{"type":"Reboot"}', '{"type":"RaiseLink"}'])
def test_what_is_no_action_is_a_failure(
    text: str, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    assert FAILED == main([text])
    assert capsys.readouterr().err.startswith("no action that is known here: ")
    assert [] == tree.writes


@pytest.mark.allow_subprocess
def test_it_says_that_it_begins_and_only_then_may_hang() -> None:
    command = [sys.executable, "-m", "agent.act.child"]
    action = to_json(SetUsbPower("1", "tune", "uplink", 3, "nodemend-none", "99-99", 2, "on"))
    for text, said in ((action, BEGUN), ("{", b"")):
        done = subprocess.run([*command, text], capture_output=True, check=False)
        assert said == done.stdout


@pytest.mark.allow_subprocess
def test_it_does_not_load_what_most_actions_do_without() -> None:
    """pyroute2 would be most of its time, and every step of the ladder waits for it."""
    loads = "import sys, agent.act.child; print('pyroute2' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)

    assert "False" == said.stdout.strip()
