"""The USB tree as people want to see it, read from a tree like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model.usb_tree import UsbNode, UsbPort, UsbTree
from agent.observe import usb_tree
from agent.observe.usb_tree import read_usb_tree


class Bus:
    """/sys/bus/usb/devices, its entries links into /sys/devices."""

    def __init__(self, root: Path) -> None:
        self.sysfs = root
        self.devices = root / "bus/usb/devices"
        self.devices.mkdir(parents=True)
        self.add("usb2", root / "devices/pci0000:00/usb2", "2-0:1.0", speed="10000")
        for number in (1, 2):
            self.port(f"usb2/2-0:1.0/usb2-port{number}")

    def add(self, name: str, folder: Path, interface: str, speed: str = "5000") -> Path:
        attributes = {"devnum": "2", "idVendor": "0bda", "idProduct": "8156", "speed": speed}
        (folder / interface).mkdir(parents=True)
        (folder / "power").mkdir()
        for key, value in attributes.items():
            (folder / key).write_text(f"{value}\n")
        # Whoever reads these waits for the device.
        for key in ("bConfigurationValue", "product", "serial"):
            (folder / key).mkdir()
        (self.devices / name).symlink_to(folder)
        (self.devices / interface).symlink_to(folder / interface)
        return folder

    def port(self, path: str, state: str = "") -> Path:
        port = self.sysfs / "devices/pci0000:00" / path
        port.mkdir(parents=True)
        (port / "disable").mkdir()  # reading it asks the hub
        (port / "over_current_count").write_text("3\n")
        if state:
            (port / "state").write_text(f"{state}\n")
        return port


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


def test_what_sits_where(bus: Bus) -> None:
    usb = bus.add("2-1", bus.sysfs / "devices/pci0000:00/usb2/2-1", "2-1:1.0")
    (usb / "2-1:1.0/net/enx1").mkdir(parents=True)
    (usb / "2-1:1.0/driver").symlink_to(bus.sysfs / "bus/usb/drivers/r8152")
    (usb / "authorized").write_text("1\n")
    (usb / "power/control").write_text("on\n")
    (usb / "power/runtime_status").write_text("active\n")
    port = bus.sysfs / "devices/pci0000:00/usb2/2-0:1.0/usb2-port1"
    (port / "device").symlink_to(usb)
    (port / "peer").symlink_to(bus.sysfs / "devices/pci0000:00/usb1/1-0:1.0/usb1-port1")
    (port / "state").write_text("configured\n")

    hub = UsbNode("usb2", 2, "0bda", "8156", 10_000_000_000, "", "", "", (), ())
    nic = UsbNode(
        *("2-1", 2, "0bda", "8156", 5_000_000_000, "1", "on", "active", ("r8152",), ("enx1",))
    )
    ports = (
        UsbPort("usb2-port1", "usb1-port1", "2-1", "configured", 3),
        UsbPort("usb2-port2", "", "", "", 3),
    )
    assert UsbTree((nic, hub), ports) == read_usb_tree(bus.sysfs)


def test_a_device_that_goes_while_it_is_read_has_nothing_any_more(bus: Bus) -> None:
    (bus.devices / "2-2").symlink_to(bus.sysfs / "devices/gone")

    tree = read_usb_tree(bus.sysfs)
    assert UsbNode("gone", 0, "", "", 0, "", "", "", (), ()) in tree.devices


def test_it_is_bounded(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb_tree, "DEVICES_MAX", 1)
    monkeypatch.setattr(usb_tree, "PORTS_MAX", 1)
    bus.add("2-1", bus.sysfs / "devices/pci0000:00/usb2/2-1", "2-1:1.0")

    tree = read_usb_tree(bus.sysfs)
    assert (1, 1, 2) == (len(tree.devices), len(tree.ports), tree.left_out)


def test_without_usb_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        read_usb_tree(tmp_path)
