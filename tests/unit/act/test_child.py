"""One action, carried out where its evidence holds and refused where it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.act.child import Refused, perform
from agent.model.outputs import SetUsbPower

ACTION = SetUsbPower("tune-3-2-1-2", "tune", "uplink", 3, "enx1", "2-1", 2, "on")


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    usb = tmp_path / "devices/usb2/2-1"
    netdev = usb / "2-1:1.0/net/enx1"
    netdev.mkdir(parents=True)
    (usb / "power").mkdir()
    (usb / "power/control").write_text("auto\n")
    (usb / "devnum").write_text("2\n")
    (netdev / "ifindex").write_text("3\n")
    (netdev / "device").symlink_to(usb / "2-1:1.0")
    for name, target in (("bus/usb/devices/2-1", usb), ("class/net/enx1", netdev)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(target)
    return tmp_path


def control(sysfs: Path) -> str:
    return (sysfs / "bus/usb/devices/2-1/power/control").read_text().strip()


def test_autosuspend_is_switched_off(sysfs: Path) -> None:
    perform(ACTION, sysfs)

    assert "on" == control(sysfs)


@pytest.mark.parametrize(
    "moved",
    [
        replace(ACTION, device_number=3),
        replace(ACTION, ifindex=4),
        replace(ACTION, device="enx2"),
        replace(ACTION, usb_path="1-1"),
    ],
)
def test_refused_where_the_world_has_moved(moved: SetUsbPower, sysfs: Path) -> None:
    with pytest.raises(Refused):
        perform(moved, sysfs)

    assert "auto" == control(sysfs)


def test_refused_where_the_name_belongs_to_another_device(sysfs: Path) -> None:
    (sysfs / "elsewhere/3-1:1.0").mkdir(parents=True)
    link = sysfs / "class/net/enx1/device"
    link.unlink()
    link.symlink_to(sysfs / "elsewhere/3-1:1.0")

    with pytest.raises(Refused, match="no longer interface 3"):
        perform(ACTION, sysfs)


def test_a_write_without_effect_is_a_failure(sysfs: Path) -> None:
    path = sysfs / "bus/usb/devices/2-1/power/control"
    path.unlink()
    path.symlink_to("/dev/null")

    with pytest.raises(OSError, match="after writing on"):
        perform(ACTION, sysfs)
