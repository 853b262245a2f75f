"""Files as sysfs has them: a USB NIC in a plug of two ports, and every write to it, in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.act import attribute, link, network_service

Write = tuple[str, str]


class Tree:
    """`writes` has (directory/file, text); `kernel` has what happens upon a write."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sysfs, self.dev = root / "sys", root / "dev"
        self.devices = self.sysfs / "bus/usb/devices"
        self.devices.mkdir(parents=True)
        (self.dev / "bus/usb/002").mkdir(parents=True)
        self.writes: list[Write] = []
        self.kernel: dict[Write, Callable[[], object]] = {}
        self._write = attribute.write
        monkeypatch.setattr(attribute, "write", self._record)
        monkeypatch.setattr(link, "set_up", self._set_up)
        monkeypatch.setattr(link, "rename", self._rename)
        monkeypatch.setattr(network_service, "networkd_runs", lambda: True)
        monkeypatch.setattr(network_service, "apply_anew", self._apply_anew)
        self._ports()
        self.usb = self.device("2-1")
        self._link(self.usb / "2-1:1.0")

    def device(self, usb_path: str) -> Path:
        """A device in configuration 1, whose interface has its driver."""
        usb = self.sysfs / f"devices/usb{usb_path[0]}/{usb_path}"
        files(usb, devnum="2", busnum="2", bConfigurationValue="1", authorized="1")
        files(usb / "power", control="auto")
        files(usb / "port", usb3_lpm_permit="u1_u2")
        interface = usb / f"{usb_path}:1.0"
        interface.mkdir()
        (self.devices / usb_path).symlink_to(usb)
        (self.devices / interface.name).symlink_to(interface)
        for driver in ("r8152", "cdc_ncm"):
            files(self.sysfs / "bus/usb/drivers" / driver, bind="", unbind="")
        (interface / "driver").symlink_to(self.sysfs / "bus/usb/drivers/r8152")
        return usb

    def unplug(self) -> None:
        for path in (self.devices / "2-1", self.devices / "2-1:1.0"):
            path.unlink()

    def says(self, name: str) -> str:
        """What a file of the device says."""
        return (self.usb / name).read_text().strip()

    def port(self, bus: int) -> Path:
        return self.devices / f"usb{bus}/{bus}-0:1.0/usb{bus}-port1"

    def ports(self) -> tuple[str, str]:
        """What `disable` says of the SuperSpeed port, and of the other one."""
        fast, slow = ((self.port(bus) / "disable").read_text().strip() for bus in (2, 1))
        return fast, slow

    def _ports(self) -> None:
        for bus in (1, 2):
            hub = self.sysfs / f"devices/usb{bus}"
            files(hub / f"{bus}-0:1.0/usb{bus}-port1", disable="0")
            (self.devices / f"usb{bus}").symlink_to(hub)
        files(self.port(2), usb3_lpm_permit="u1_u2")
        (self.port(2) / "peer").symlink_to(self.port(1).resolve())
        (self.port(1) / "peer").symlink_to(self.port(2).resolve())

    def _link(self, interface: Path) -> None:
        netdev = interface / "net/enx1"
        files(netdev, ifindex="3")
        (netdev / "device").symlink_to(interface)
        (self.sysfs / "class/net").mkdir(parents=True)
        (self.sysfs / "class/net/enx1").symlink_to(netdev)

    def _record(self, path: Path, text: str) -> None:
        self._happens((f"{path.parent.name}/{path.name}", text))
        self._write(path, text)

    def _set_up(self, ifindex: int, *, up: bool) -> None:
        self._happens((f"interface {ifindex}", "up" if up else "down"))

    def _rename(self, ifindex: int, name: str) -> None:
        self._happens((f"interface {ifindex}", name))

    def _apply_anew(self, service: str, device: str) -> None:
        self._happens((service, device))

    def _happens(self, write: Write) -> None:
        self.writes.append(write)
        self.kernel.get(write, lambda: None)()


def files(directory: Path, **contents: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (directory / name).write_text(f"{text}\n")


def refuse_writes(path: Path) -> None:
    """Every write fails, as the kernel's own refusals do: after the file was opened."""
    path.unlink()
    path.symlink_to("/dev/full")
