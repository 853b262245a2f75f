"""Each action: what is in the kernel's files after it, in which order, and when it is refused."""

from __future__ import annotations

import dataclasses
import fcntl
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest

from agent.act import evidence
from agent.act.child import perform
from agent.act.evidence import Refused
from agent.act.steps import PERFORMERS
from agent.model.actions import (
    Action,
    Authorize,
    BindDriver,
    BounceLink,
    CycleConfiguration,
    RaiseLink,
    Reauthorize,
    RebindDriver,
    RenewAddresses,
    ResetDevice,
    RestoreName,
    SetConfiguration,
    SetUsbPower,
)
from agent.model.identity import NetworkService
from tests.unit.act.tree import Tree, refuse_writes

EVIDENCE: dict[str, Any] = {
    "action_id": "step-1",
    "step": "step",
    "nic": "uplink",
    "ifindex": 3,
    "device": "enx1",
    "usb_path": "2-1",
    "device_number": 2,
}
NO_LINK: dict[str, Any] = {**EVIDENCE, "ifindex": None, "device": ""}

ON_A_DEVICE: list[Action] = [
    SetUsbPower(**EVIDENCE, power_control="on"),
    BounceLink(**EVIDENCE),
    RaiseLink(**EVIDENCE),
    RestoreName(**EVIDENCE, name="enx2"),
    ResetDevice(**EVIDENCE),
    RebindDriver(**EVIDENCE, driver="r8152", interface="2-1:1.0"),
    BindDriver(**EVIDENCE, driver="r8152", interface="2-1:1.0"),
    RenewAddresses(**EVIDENCE, network_service="networkd"),
    CycleConfiguration(**EVIDENCE, configuration=1, driver="r8152"),
    SetConfiguration(**EVIDENCE, configuration=1),
    Reauthorize(**EVIDENCE, configuration=1, driver="r8152"),
    Authorize(**EVIDENCE, configuration=1),
]
by_name = pytest.mark.parametrize("action", ON_A_DEVICE, ids=lambda action: type(action).__name__)


@pytest.fixture
def resets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The device node and the request of every ioctl."""
    found: list[tuple[str, int]] = []

    def ioctl(descriptor: int, request: int) -> None:
        found.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), request))

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return found


def carry_out(tree: Tree, action: Action) -> list[tuple[str, str]]:
    perform(action, tree.sysfs, tree.dev)
    return tree.writes


def test_every_action_has_its_performer() -> None:
    assert set(get_args(Action)) == set(PERFORMERS)


# --- The evidence ----------------------------------------------------------------------------


def gone(tree: Tree) -> None:
    tree.unplug()


def another_device(tree: Tree) -> None:
    (tree.usb / "devnum").write_text("3\n")


def another_link(tree: Tree) -> None:
    (tree.sysfs / "class/net/enx1/ifindex").write_text("4\n")


def another_adapter(tree: Tree) -> None:
    """The link by that name and number hangs on another device."""
    elsewhere = tree.device("1-2") / "1-2:1.0"
    shutil.move(tree.usb / "2-1:1.0/net", elsewhere / "net")


def no_link(tree: Tree) -> None:
    link = tree.sysfs / "class/net/enx1"
    shutil.rmtree(link.resolve())
    link.unlink()


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (gone, "2-1/devnum is gone"),
        (another_device, "2-1 is device 3, not 2"),
        (another_link, "2-1 no longer has interface 3, which was enx1"),
        (another_adapter, "2-1 no longer has interface 3, which was enx1"),
        (no_link, "2-1 no longer has interface 3, which was enx1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@by_name
def test_refused_where_the_world_has_moved(
    action: Action,
    moved: Callable[[Tree], None],
    words: str,
    tree: Tree,
    resets: list[tuple[str, int]],
) -> None:
    moved(tree)

    with pytest.raises(Refused, match=words):
        carry_out(tree, action)
    assert ([], []) == (tree.writes, resets)


def test_a_link_that_was_renamed_meanwhile_is_still_the_one(tree: Tree) -> None:
    """By udev, which renames a new one, or by a step that was cut off."""
    (tree.sysfs / "class/net/enx1").rename(tree.sysfs / "class/net/eth0")
    (tree.usb / "2-1:1.0/net/enx1").rename(tree.usb / "2-1:1.0/net/eth0")

    assert 3 == evidence.link(BounceLink(**EVIDENCE), tree.sysfs)


@pytest.mark.parametrize(
    "usb_path",
    ["usb2", "2-0:1.0", "2-1:1.0", "2-1/../usb2", "../2-1", "2-", "", "2-1\n", "2-1.", "²-1"],
)
@by_name
def test_refused_where_the_path_is_no_bus_path(action: Action, usb_path: str, tree: Tree) -> None:
    with pytest.raises(Refused, match="is not the bus path of a USB device"):
        carry_out(tree, dataclasses.replace(action, usb_path=usb_path))
    assert [] == tree.writes


@by_name
def test_refused_on_an_empty_plug(action: Action, tree: Tree) -> None:
    with pytest.raises(Refused, match="decided on an empty plug"):
        carry_out(tree, dataclasses.replace(action, device_number=None))
    assert [] == tree.writes


def test_an_unreadable_device_is_a_failure_not_a_refusal(tree: Tree) -> None:
    devnum = tree.usb / "devnum"
    devnum.unlink()
    devnum.mkdir()

    with pytest.raises(IsADirectoryError, match="2-1/devnum"):
        carry_out(tree, ON_A_DEVICE[0])


# --- Power and link --------------------------------------------------------------------------


def test_autosuspend_is_switched_off(tree: Tree) -> None:
    carry_out(tree, SetUsbPower(**EVIDENCE, power_control="on"))

    assert "on" == tree.says("power/control")


def test_link_power_management_is_switched_off_at_the_port(tree: Tree) -> None:
    carry_out(tree, SetUsbPower(**EVIDENCE, power_control="", lpm_permit="0"))

    assert ("auto", "0") == (tree.says("power/control"), tree.says("port/usb3_lpm_permit"))


def test_a_write_without_effect_is_a_failure(tree: Tree) -> None:
    control = tree.usb / "power/control"
    control.unlink()
    control.symlink_to("/dev/null")

    with pytest.raises(OSError, match="after writing on"):
        carry_out(tree, SetUsbPower(**EVIDENCE, power_control="on"))


def test_a_file_that_is_not_there_is_not_made(tree: Tree) -> None:
    (tree.usb / "power/control").unlink()

    with pytest.raises(FileNotFoundError, match="power/control"):
        carry_out(tree, SetUsbPower(**EVIDENCE, power_control="on"))
    assert not (tree.usb / "power/control").exists()


def test_a_link_goes_down_and_comes_up(tree: Tree) -> None:
    written = carry_out(tree, BounceLink(**EVIDENCE))

    assert [("interface 3", "down"), ("interface 3", "up")] == written


def test_a_link_comes_up(tree: Tree) -> None:
    assert [("interface 3", "up")] == carry_out(tree, RaiseLink(**EVIDENCE))


def test_a_link_gets_its_name_while_it_is_down(tree: Tree) -> None:
    written = carry_out(tree, RestoreName(**EVIDENCE, name="enx2"))

    assert [
        ("interface 3", "down"),
        ("interface 3", "enx2"),
        ("interface 3", "up"),
        ("networkd", "enx2"),
    ] == written


@pytest.mark.parametrize("network_service", ["networkd", "NetworkManager"])
def test_its_manager_is_asked_for_its_addresses(
    network_service: NetworkService, tree: Tree
) -> None:
    assert [(network_service, "enx1")] == carry_out(
        tree, RenewAddresses(**EVIDENCE, network_service=network_service)
    )


def test_a_link_that_cannot_be_renamed_is_up_again(tree: Tree) -> None:
    def refuse() -> None:
        raise OSError("interface 3 cannot be called enx2: File exists")

    tree.kernel[("interface 3", "enx2")] = refuse
    with pytest.raises(OSError, match="File exists"):
        carry_out(tree, RestoreName(**EVIDENCE, name="enx2"))
    assert ("interface 3", "up") == tree.writes[-1]


def test_a_name_that_another_link_has_is_not_taken(tree: Tree) -> None:
    with pytest.raises(Refused, match="another link that is called enx1"):
        carry_out(tree, RestoreName(**EVIDENCE, name="enx1"))
    assert [] == tree.writes


@pytest.mark.parametrize("action", [BounceLink(**NO_LINK), RaiseLink(**NO_LINK)])
def test_refused_where_it_was_decided_without_a_link(action: Action, tree: Tree) -> None:
    with pytest.raises(Refused, match="decided on without a link"):
        carry_out(tree, action)


# --- Reset -----------------------------------------------------------------------------------


@pytest.mark.parametrize("evidence", [EVIDENCE, NO_LINK])
def test_a_device_is_reset_by_its_own_node(
    evidence: dict[str, Any], tree: Tree, resets: list[tuple[str, int]]
) -> None:
    node = tree.dev / "bus/usb/002/002"
    node.touch()
    carry_out(tree, ResetDevice(**evidence))

    assert [(str(node), 0x5514)] == resets


def test_a_refused_reset_names_the_node(tree: Tree) -> None:
    (tree.dev / "bus/usb/002/002").touch()  # a plain file: the kernel knows no such ioctl

    with pytest.raises(OSError, match=r"ioctl for device, at the reset: '.*/bus/usb/002/002'"):
        carry_out(tree, ResetDevice(**EVIDENCE))


def test_without_a_node_nothing_is_reset(tree: Tree) -> None:
    with pytest.raises(FileNotFoundError, match="bus/usb/002/002"):
        carry_out(tree, ResetDevice(**EVIDENCE))
    assert not (tree.dev / "bus/usb/002/002").exists()


# --- Driver ----------------------------------------------------------------------------------

REBIND = RebindDriver(**EVIDENCE, driver="r8152", interface="2-1:1.0")
BIND = BindDriver(**NO_LINK, driver="r8152", interface="2-1:1.0")


def bound_to(tree: Tree, driver: str | None) -> None:
    link = tree.usb / "2-1:1.0/driver"
    link.unlink()
    if driver:
        link.symlink_to(tree.sysfs / "bus/usb/drivers" / driver)


@pytest.mark.parametrize("bound", ["r8152", "cdc_ncm"])
def test_the_driver_that_is_bound_lets_go_and_the_right_one_is_bound(
    bound: str, tree: Tree
) -> None:
    bound_to(tree, bound)
    written = carry_out(tree, REBIND)

    assert [(f"{bound}/unbind", "2-1:1.0"), ("r8152/bind", "2-1:1.0")] == written


def test_where_no_driver_is_bound_none_must_let_go(tree: Tree) -> None:
    bound_to(tree, None)

    assert [("r8152/bind", "2-1:1.0")] == carry_out(tree, REBIND)


def test_what_is_left_of_a_rebind_is_the_bind(tree: Tree) -> None:
    bound_to(tree, None)

    assert [("r8152/bind", "2-1:1.0")] == carry_out(tree, BIND)


def test_what_is_bound_stays_bound(tree: Tree) -> None:
    assert [] == carry_out(tree, BIND)


@pytest.mark.parametrize("action", [REBIND, BIND], ids=["rebind", "bind"])
@pytest.mark.parametrize(
    "interface", ["1-2:1.0", "2-1", "2-1.4:1.0", "2-1:1.0/..", "2-1:1", "x2-1:1.0", "2-1:1.0\n"]
)
def test_refused_where_the_interface_is_another_device_s(
    action: RebindDriver | BindDriver, interface: str, tree: Tree
) -> None:
    tree.device("1-2")

    with pytest.raises(Refused, match="is not an interface of 2-1"):
        carry_out(tree, dataclasses.replace(action, interface=interface))
    assert [] == tree.writes


def test_refused_where_the_interface_is_gone(tree: Tree) -> None:
    with pytest.raises(Refused, match=r"2-1:2\.0 is gone"):
        carry_out(tree, dataclasses.replace(REBIND, interface="2-1:2.0"))


@pytest.mark.parametrize("driver", ["ax88179_178a", "../../pci/drivers/r8152", ""])
def test_a_driver_lets_go_only_where_the_next_one_is_there(driver: str, tree: Tree) -> None:
    (tree.sysfs / "bus/pci/drivers/r8152").mkdir(parents=True)
    (tree.sysfs / "bus/pci/drivers/r8152/bind").touch()

    with pytest.raises(Refused, match=f"there is no USB driver '{driver}'"):
        carry_out(tree, dataclasses.replace(REBIND, driver=driver))
    assert [] == tree.writes


# --- Configuration and authorisation ---------------------------------------------------------

CHOSEN, AUTHORIZED = "2-1/bConfigurationValue", "2-1/authorized"


def test_a_configuration_is_left_and_chosen_again(tree: Tree) -> None:
    written = carry_out(tree, CycleConfiguration(**EVIDENCE, configuration=1, driver="r8152"))

    assert [(CHOSEN, "0"), (CHOSEN, "1")] == written
    assert "1" == tree.says("bConfigurationValue")


@pytest.mark.parametrize(
    ("found", "written"), [("1", []), ("", [(CHOSEN, "1")]), ("2", [(CHOSEN, "1")])]
)
def test_a_configuration_is_chosen_where_it_is_not(
    found: str, written: list[tuple[str, str]], tree: Tree
) -> None:
    (tree.usb / "bConfigurationValue").write_text(f"{found}\n" if found else "")

    assert written == carry_out(tree, SetConfiguration(**NO_LINK, configuration=1))
    assert "1" == tree.says("bConfigurationValue")


def test_authorised_anew_in_the_wrong_configuration_it_is_put_right(tree: Tree) -> None:
    chosen = tree.usb / "bConfigurationValue"
    tree.kernel[AUTHORIZED, "0"] = lambda: chosen.write_text("")
    tree.kernel[AUTHORIZED, "1"] = lambda: chosen.write_text("2\n")  # cdc_ncm's: Linux 6.1
    written = carry_out(tree, Reauthorize(**EVIDENCE, configuration=1, driver="r8152"))

    assert [(AUTHORIZED, "0"), (AUTHORIZED, "1"), (CHOSEN, "1")] == written
    assert ("1", "1") == (tree.says("authorized"), tree.says("bConfigurationValue"))


def test_authorised_anew_in_the_right_configuration_it_stays_there(tree: Tree) -> None:
    written = carry_out(tree, Reauthorize(**EVIDENCE, configuration=1, driver="r8152"))

    assert [(AUTHORIZED, "0"), (AUTHORIZED, "1")] == written


def test_what_is_left_of_an_authorisation(tree: Tree) -> None:
    (tree.usb / "authorized").write_text("0\n")
    (tree.usb / "bConfigurationValue").write_text("")
    written = carry_out(tree, Authorize(**NO_LINK, configuration=1))

    assert [(AUTHORIZED, "1"), (CHOSEN, "1")] == written


def test_what_is_authorised_stays_so(tree: Tree) -> None:
    assert [] == carry_out(tree, Authorize(**NO_LINK, configuration=1))


@pytest.mark.parametrize("configuration", [0, -1, 256])
@pytest.mark.parametrize(
    "kind",
    [
        partial(CycleConfiguration, driver="r8152"),
        SetConfiguration,
        partial(Reauthorize, driver="r8152"),
        Authorize,
    ],
)
def test_refused_where_there_is_no_such_configuration(
    kind: Callable[..., Action], configuration: int, tree: Tree
) -> None:
    with pytest.raises(Refused, match=f"no USB configuration {configuration}"):
        carry_out(tree, kind(**EVIDENCE, configuration=configuration))
    assert [] == tree.writes


@pytest.mark.parametrize("kind", [CycleConfiguration, Reauthorize])
def test_a_configuration_is_not_left_for_a_driver_that_is_not_there(
    kind: Callable[..., Action], tree: Tree
) -> None:
    with pytest.raises(Refused, match="there is no USB driver 'r8169'"):
        carry_out(tree, kind(**EVIDENCE, configuration=1, driver="r8169"))
    assert [] == tree.writes


@pytest.mark.parametrize("name", ["bConfigurationValue", "authorized"])
def test_what_the_kernel_refuses_is_said_with_the_file_and_the_text(name: str, tree: Tree) -> None:
    refuse_writes(tree.usb / name)
    action = Reauthorize if name == "authorized" else CycleConfiguration

    with pytest.raises(OSError, match=rf"No space left on device, when 0 was written: '.*{name}'"):
        carry_out(tree, action(**EVIDENCE, configuration=1, driver="r8152"))
