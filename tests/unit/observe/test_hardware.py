"""Hardware behind a link, read from a tree like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model.identity import Adapter
from agent.observe.hardware import Moved, read_adapter

PCI = "devices/pci0000:00/0000:00:14.0"


class Sysfs:
    """Builds the part of /sys that is read, with the kernel's own links."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for bus in ("usb", "pci", "platform"):
            (root / "bus" / bus).mkdir(parents=True)
        self._bus(PCI, "pci")

    def usb_nic(
        self,
        device: str = "enx1",
        ifindex: int = 3,
        usb: str = f"{PCI}/usb2/2-1",
        driver: str = "r8152",
        speed: str = "5000",
        power_control: str | None = "auto",
    ) -> Path:
        path = self.root / usb
        interface = path / f"{path.name}:1.0"
        netdev = interface / "net" / device
        netdev.mkdir(parents=True)
        self._bus(usb, "usb")
        self._bus(f"{usb}/{interface.name}", "usb")
        for name, value in (
            ("devnum", "2"),
            ("idVendor", "0bda"),
            ("idProduct", "8156"),
            ("speed", speed),
        ):
            (path / name).write_text(value + "\n")
        if power_control:
            (path / "power").mkdir()
            (path / "power/control").write_text(power_control + "\n")
        self._driver(interface, "usb", driver)
        self._net(netdev, ifindex, interface)
        return path

    def pci_nic(self, device: str, ifindex: int, driver: str) -> None:
        netdev = self.root / PCI / "net" / device
        netdev.mkdir(parents=True)
        (self.root / PCI / "vendor").write_text("0x8086\n")
        (self.root / PCI / "device").write_text("0x15f3\n")
        self._driver(self.root / PCI, "pci", driver)
        self._net(netdev, ifindex, self.root / PCI)

    def virtual(self, device: str, ifindex: int) -> None:
        netdev = self.root / "devices/virtual/net" / device
        netdev.mkdir(parents=True)
        self._net(netdev, ifindex, None)

    def port(self, device: Path, hub: str, number: int, peer_hub: str, peer_number: int) -> None:
        """Give a device its port and the port's peer of the other speed."""
        here = self.root / hub / f"{Path(hub).name.partition(':')[0]}-port{number}"
        there = self.root / peer_hub / f"{_port_prefix(peer_hub)}-port{peer_number}"
        here.mkdir(parents=True)
        there.mkdir(parents=True)
        (here / "peer").symlink_to(there)
        (device / "port").symlink_to(here)

    def _bus(self, path: str, bus: str) -> None:
        (self.root / path).mkdir(parents=True, exist_ok=True)
        (self.root / path / "subsystem").symlink_to(self.root / "bus" / bus)

    def _driver(self, path: Path, bus: str, driver: str) -> None:
        target = self.root / "bus" / bus / "drivers" / driver
        target.mkdir(parents=True, exist_ok=True)
        (path / "driver").symlink_to(target)

    def _net(self, netdev: Path, ifindex: int, parent: Path | None) -> None:
        (netdev / "ifindex").write_text(f"{ifindex}\n")
        (netdev / "addr_assign_type").write_text("0\n")
        if parent is not None:
            (netdev / "device").symlink_to(parent)
        class_net = self.root / "class/net"
        class_net.mkdir(parents=True, exist_ok=True)
        (class_net / netdev.name).symlink_to(netdev)


def _port_prefix(hub: str) -> str:
    name = Path(hub).name  # 2-0:1.0 is a root hub's interface, 2-1:1.0 a hub's
    bus_port = name.partition(":")[0]
    return f"usb{bus_port[:-2]}" if bus_port.endswith("-0") else bus_port


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path)


def test_a_usb_nic(sysfs: Sysfs) -> None:
    sysfs.usb_nic()

    expected = Adapter(
        connector="pci-0000:00:14.0-usb-0:1",
        bus="usb",
        driver="r8152",
        vendor_id="0bda",
        product_id="8156",
        mac_assignment=0,
        usb_path="2-1",
        device_number=2,
        usb_speed_bits=5_000_000_000,
        power_control="auto",
        interface="2-1:1.0",
    )
    assert expected == read_adapter(3, "enx1", sysfs.root)


def test_behind_a_hub(sysfs: Sysfs) -> None:
    sysfs.usb_nic(usb=f"{PCI}/usb2/2-1/2-1.4")
    adapter = read_adapter(3, "enx1", sysfs.root)

    assert adapter is not None
    assert "pci-0000:00:14.0-usb-0:1.4" == adapter.connector


def test_a_platform_controller(sysfs: Sysfs) -> None:
    sysfs._bus("devices/platform/vhci_hcd.0", "platform")
    sysfs.usb_nic(usb="devices/platform/vhci_hcd.0/usb4/4-1")
    adapter = read_adapter(3, "enx1", sysfs.root)

    assert adapter is not None
    assert "platform-vhci_hcd.0-usb-0:1" == adapter.connector


def test_fallen_back_to_usb_2_it_is_still_the_same_connector(sysfs: Sysfs) -> None:
    device = sysfs.usb_nic(usb=f"{PCI}/usb1/1-5", speed="480")
    sysfs.port(device, f"{PCI}/usb1/1-0:1.0", 5, f"{PCI}/usb2/2-0:1.0", 1)
    adapter = read_adapter(3, "enx1", sysfs.root)

    assert adapter is not None
    assert "pci-0000:00:14.0-usb-0:1" == adapter.connector
    assert 480_000_000 == adapter.usb_speed_bits
    assert ("1-5", "2-1") == (adapter.usb_path, adapter.companion_path)


def test_fallen_back_to_usb_2_behind_a_hub(sysfs: Sysfs) -> None:
    device = sysfs.usb_nic(usb=f"{PCI}/usb1/1-5/1-5.2", speed="480")
    sysfs.port(device, f"{PCI}/usb1/1-5/1-5:1.0", 2, f"{PCI}/usb2/2-1/2-1:1.0", 4)
    adapter = read_adapter(3, "enx1", sysfs.root)

    assert adapter is not None
    assert "pci-0000:00:14.0-usb-0:1.4" == adapter.connector


def test_links_that_are_no_usb_nic(sysfs: Sysfs) -> None:
    sysfs.pci_nic("eno1", 2, "igc")
    sysfs.virtual("dummy0", 5)

    expected = Adapter(
        connector="pci-0000:00:14.0",
        bus="pci",
        driver="igc",
        vendor_id="8086",
        product_id="15f3",
        mac_assignment=0,
    )
    assert expected == read_adapter(2, "eno1", sysfs.root)
    assert read_adapter(5, "dummy0", sysfs.root) is None


def test_another_interface_by_that_name(sysfs: Sysfs) -> None:
    sysfs.usb_nic(ifindex=9)

    with pytest.raises(Moved):
        read_adapter(3, "enx1", sysfs.root)


def test_a_device_that_vanishes_while_it_is_read(sysfs: Sysfs) -> None:
    device = sysfs.usb_nic()
    (device / "idVendor").unlink()

    with pytest.raises(FileNotFoundError):
        read_adapter(3, "enx1", sysfs.root)


def test_without_power_management(sysfs: Sysfs) -> None:
    sysfs.usb_nic(power_control=None)
    adapter = read_adapter(3, "enx1", sysfs.root)

    assert adapter is not None
    assert "" == adapter.power_control
    assert "" == adapter.lpm_permit


def test_what_its_port_permits_of_link_power_management(sysfs: Sysfs) -> None:
    usb = sysfs.usb_nic()
    (usb / "port").mkdir()
    (usb / "port/usb3_lpm_permit").write_text("u1_u2\n")
    adapter = read_adapter(3, "enx1", sysfs.root)

    assert adapter is not None
    assert "u1_u2" == adapter.lpm_permit
