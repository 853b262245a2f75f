"""A plug is switched off and on: both its ports, in order, and on again whatever happens."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from agent.act import port
from agent.act.child import perform
from agent.act.evidence import Refused
from agent.model.actions import PowerCyclePort, PowerPortOn
from tests.unit.act.tree import Tree, files, refuse_writes

EVIDENCE: dict[str, Any] = {
    "action_id": "step-1",
    "step": "port_power",
    "nic": "uplink",
    "ifindex": 3,
    "device": "enx1",
    "usb_path": "2-1",
    "device_number": 2,
    "companion_path": "1-1",
}
EMPTY: dict[str, Any] = {**EVIDENCE, "ifindex": None, "device": "", "device_number": None}
CYCLE, CYCLE_EMPTY = (PowerCyclePort(**evidence, off_seconds=15) for evidence in (EVIDENCE, EMPTY))
ON = PowerPortOn(**EMPTY)
FAST, SLOW = "usb2-port1/disable", "usb1-port1/disable"
OFF_AND_ON = [(SLOW, "1"), (FAST, "1"), ("wait", "15"), (FAST, "0"), (SLOW, "0")]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    tree = Tree(tmp_path, monkeypatch)
    monkeypatch.setattr(port, "pause", lambda seconds: tree.writes.append(("wait", str(seconds))))
    return tree


def carry_out(tree: Tree, action: PowerCyclePort | PowerPortOn) -> list[tuple[str, str]]:
    perform(action, tree.sysfs, tree.dev)
    return tree.writes


def test_off_a_wait_and_on_with_the_fast_port_first(tree: Tree) -> None:
    assert OFF_AND_ON == carry_out(tree, CYCLE)
    assert ("0", "0") == tree.ports()


def test_the_port_is_found_without_the_device_once_it_is_off(tree: Tree) -> None:
    tree.kernel[FAST, "1"] = tree.unplug

    assert OFF_AND_ON == carry_out(tree, CYCLE)


def test_an_empty_plug_is_switched_as_well(tree: Tree) -> None:
    tree.unplug()

    assert OFF_AND_ON == carry_out(tree, CYCLE_EMPTY)


def test_fallen_back_to_usb_2_the_fast_port_is_first_all_the_same(tree: Tree) -> None:
    tree.unplug()
    swapped = dataclasses.replace(CYCLE_EMPTY, usb_path="1-1", companion_path="2-1")

    assert OFF_AND_ON == carry_out(tree, swapped)


@pytest.mark.parametrize("companion_path", ["", "1-9"])
def test_a_plug_of_one_port(companion_path: str, tree: Tree) -> None:
    written = carry_out(tree, dataclasses.replace(CYCLE, companion_path=companion_path))

    assert [(FAST, "1"), ("wait", "15"), (FAST, "0")] == written


def test_behind_a_hub(tree: Tree) -> None:
    files(tree.usb / "2-1:1.0/2-1-port4", disable="0")
    tree.device("2-1.4")
    behind = {**EVIDENCE, "ifindex": None, "usb_path": "2-1.4", "companion_path": ""}
    written = carry_out(tree, PowerCyclePort(**behind, off_seconds=0))

    assert [("2-1-port4/disable", "1"), ("wait", "0"), ("2-1-port4/disable", "0")] == written


# --- Refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("usb_path", ["2-1", "1-1"])
def test_refused_where_the_plug_is_not_empty_any_more(usb_path: str, tree: Tree) -> None:
    tree.unplug()
    (tree.devices / usb_path).symlink_to(tree.usb)

    with pytest.raises(Refused, match=f"{usb_path} is there, and the plug was empty"):
        carry_out(tree, CYCLE_EMPTY)
    assert [] == tree.writes


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ({"device_number": 3}, "2-1 is device 2, not 3"),
        ({"ifindex": 4}, "2-1 no longer has interface 4"),
        ({"usb_path": "usb2"}, "'usb2' is not the bus path"),
        ({"companion_path": "1-0:1.0"}, "'1-0:1.0' is not the bus path"),
        ({"usb_path": "2-7"}, "usb2-port7 is gone"),
    ],
)
def test_refused_where_the_world_has_moved(moved: dict[str, Any], words: str, tree: Tree) -> None:
    with pytest.raises(Refused, match=words):
        carry_out(tree, dataclasses.replace(CYCLE, **moved))
    assert [] == tree.writes


def test_refused_where_the_kernel_is_too_old(tree: Tree) -> None:
    (tree.port(2) / "disable").unlink()

    with pytest.raises(
        Refused, match=r"usb2-port1 has no file `disable`, which Linux has since 6\.0"
    ):
        carry_out(tree, CYCLE)
    assert ([], "0") == (tree.writes, (tree.port(1) / "disable").read_text().strip())


def test_refused_where_the_other_port_is_another_plug_s(tree: Tree) -> None:
    files(tree.devices / "usb1/1-0:1.0/usb1-port2", disable="0")

    with pytest.raises(Refused, match=r"usb1-port2 is not the other side of .*usb2-port1"):
        carry_out(tree, dataclasses.replace(CYCLE, companion_path="1-2"))
    assert [] == tree.writes


# --- What goes wrong -------------------------------------------------------------------------


class Interrupted(BaseException):
    """Stands for whatever is no OSError."""


@pytest.mark.parametrize("at", [(FAST, "1"), (SLOW, "1")])
@pytest.mark.parametrize("accident", [OSError("it hurts"), Interrupted("it hurts")])
def test_both_ports_are_on_again_whatever_happens(
    at: tuple[str, str], accident: BaseException, tree: Tree
) -> None:
    def hurt() -> None:
        raise accident

    tree.kernel[at] = hurt

    with pytest.raises(type(accident), match="it hurts"):
        carry_out(tree, CYCLE)
    assert [(FAST, "0"), (SLOW, "0")] == tree.writes[-2:]
    assert ("0", "0") == tree.ports()


@pytest.mark.parametrize("broken", [1, 2])
@pytest.mark.parametrize("action", [CYCLE, ON])
def test_a_port_that_cannot_be_switched_on_is_said_and_the_other_one_is_on(
    broken: int, action: PowerCyclePort | PowerPortOn, tree: Tree
) -> None:
    tree.kernel[(SLOW, FAST)[broken - 1], "0"] = lambda: refuse_writes(
        tree.port(broken) / "disable"
    )
    for bus in (1, 2):
        (tree.port(bus) / "disable").write_text("1\n")

    with pytest.raises(OSError, match=f"usb{broken}-port1/disable: No space left .*when 0 was"):
        carry_out(tree, action)
    assert "0" == (tree.port(3 - broken) / "disable").read_text().strip()


def test_every_port_that_cannot_be_switched_is_said(tree: Tree) -> None:
    for bus in (1, 2):
        refuse_writes(tree.port(bus) / "disable")

    words = "usb1-port1/disable: .*when 1 .*usb2-port1/disable: .*when 0 .*usb1-port1.*when 0"
    with pytest.raises(OSError, match=words):
        carry_out(tree, CYCLE)


# --- What is left of it ----------------------------------------------------------------------


def test_both_are_switched_on(tree: Tree) -> None:
    tree.unplug()
    for bus in (1, 2):
        (tree.port(bus) / "disable").write_text("1\n")

    assert [(FAST, "0"), (SLOW, "0")] == carry_out(tree, ON)
    assert ("0", "0") == tree.ports()


@pytest.mark.parametrize("off", [1, 2])
def test_a_port_is_not_left_off_for_what_came_back_at_the_other(off: int, tree: Tree) -> None:
    (tree.port(off) / "disable").write_text("1\n")
    carry_out(tree, ON)

    assert ("0", "0") == tree.ports()


def test_a_port_that_cannot_be_read_is_not_taken_to_be_on(tree: Tree) -> None:
    unreadable = tree.port(2) / "disable"
    unreadable.unlink()
    unreadable.mkdir()

    with pytest.raises(OSError, match=r"usb2-port1/disable: Is a directory, when 0 was written"):
        carry_out(tree, ON)


def test_refused_where_all_is_on_and_something_is_there(tree: Tree) -> None:
    with pytest.raises(Refused, match="2-1 is there, and the plug was empty"):
        carry_out(tree, ON)
    assert [] == tree.writes


def test_the_wait_is_as_long_as_it_is_said_to_be() -> None:
    before = time.monotonic()
    port.pause(0.05)

    assert time.monotonic() - before >= 0.05
