"""What sits in a plug, at either of its speeds, read without the device's lock."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.model.identity import UsbDevice
from agent.observe.plug import read_plug


class Bus:
    """The part of /sys that is read."""

    def __init__(self, root: Path) -> None:
        self.sysfs = root
        self.devices = root / "bus/usb/devices"
        self.devices.mkdir(parents=True)
        for name, speed in (("usb1", "480"), ("usb2", "10000")):
            (self.devices / name).mkdir()
            (self.devices / name / "speed").write_text(f"{speed}\n")

    def plug_in(
        self, usb_path: str, number: int = 7, interfaces: tuple[str, ...] = (), link: str = ""
    ) -> Path:
        """A device; `link` is the interface that has a network interface."""
        usb = self.devices / usb_path
        for name in ("power", "ep_00", *interfaces):
            (usb / name).mkdir(parents=True)
        for name, value in (
            ("devnum", str(number)),
            ("idVendor", "0bda"),
            ("idProduct", "8156"),
        ):
            (usb / name).write_text(f"{value}\n")
        # Whoever reads this waits for the device.
        (usb / "bConfigurationValue").mkdir()
        if link:
            (usb / link / "net/enx1").mkdir(parents=True)
        return usb

    def read(self, usb_path: str = "2-1", companion_path: str = "1-1") -> UsbDevice | None:
        return read_plug(usb_path, companion_path, self.sysfs)


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


def test_a_nic_with_its_link(bus: Bus) -> None:
    bus.plug_in("2-1", 7, ("2-1:1.0",), link="2-1:1.0")

    assert UsbDevice("2-1", 7, "0bda", "8156", ("2-1:1.0",), has_link=True) == bus.read()


def test_a_nic_without_a_link(bus: Bus) -> None:
    usb = bus.plug_in("2-1", 7, ("2-1:2.1", "2-1:2.0", "2-1.4"))
    (usb / "2-1:2.0/net").mkdir()  # for the moment in which a link is made or goes

    expected = UsbDevice("2-1", 7, "0bda", "8156", ("2-1:2.0", "2-1:2.1"), has_link=False)
    assert expected == bus.read()


def test_a_device_that_has_no_configuration(bus: Bus) -> None:
    bus.plug_in("2-1")

    assert UsbDevice("2-1", 7, "0bda", "8156", (), has_link=False) == bus.read()


def test_an_empty_plug(bus: Bus) -> None:
    bus.plug_in("2-2")

    assert bus.read() is None
    assert bus.read("2-1", "") is None


def test_fallen_back_to_usb_2(bus: Bus) -> None:
    bus.plug_in("1-1", 9)
    found = bus.read()

    assert found is not None
    assert ("1-1", 9) == (found.usb_path, found.device_number)


@pytest.mark.parametrize("paths", [("2-1", "1-1"), ("1-1", "2-1")])
def test_of_two_the_faster_one(paths: tuple[str, str], bus: Bus) -> None:
    """Whichever the NIC was at last."""
    bus.plug_in("1-1", 9)
    bus.plug_in("2-1", 7)
    found = bus.read(*paths)

    assert found is not None
    assert "2-1" == found.usb_path


@pytest.mark.parametrize("attribute", ["devnum", "idVendor", "idProduct"])
def test_a_device_that_vanishes_while_it_is_read(attribute: str, bus: Bus) -> None:
    usb = bus.plug_in("2-1")
    (usb / attribute).unlink()

    assert bus.read() is None


def test_a_bus_that_has_gone_with_its_controller(bus: Bus) -> None:
    shutil.rmtree(bus.devices / "usb2")

    assert bus.read() is None


@pytest.mark.parametrize("missing", ["bus/usb/devices", "bus"])
def test_an_unreadable_sys_is_no_empty_plug(missing: str, bus: Bus) -> None:
    shutil.rmtree(bus.sysfs / missing)

    with pytest.raises(FileNotFoundError, match="bus/usb/devices"):
        bus.read()


def test_an_unreadable_device_is_no_empty_plug(bus: Bus) -> None:
    usb = bus.plug_in("2-1")
    (usb / "devnum").unlink()
    (usb / "devnum").mkdir()

    with pytest.raises(IsADirectoryError):
        bus.read()
