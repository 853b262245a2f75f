"""A virtual machine: its own kernel, USB stack, udev and networkd, in software emulation.

KVM is not used even where it is there: nested, it hangs (and a test must not depend on it).
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.lab import images
from tests.lab.node import Node
from tests.lab.process import running, wait_until_up

BOOT_SECONDS_MAX = 240.0
PROCESSORS = 2
MEMORY_MEGABYTES = 1536
SSH_PORT, PRODUCT_PORT = 22, 19100


class VirtualMachine(Node):
    """A booted machine, reached by ssh; its ports are the host's."""

    def __init__(self, name: str, release: str, directory: Path, ports: Mapping[int, int]) -> None:
        self.name = name
        self.release = release
        self._directory = directory
        self._ports = ports

    def port(self, port: int) -> int:
        """The host's port, on 127.0.0.1, that leads to this port of the node."""
        return self._ports[port]

    def get(self, path: str, timeout_seconds: float = 30.0) -> str:
        """What the product answers over HTTP, asked from the host."""
        url = f"http://127.0.0.1:{self.port(PRODUCT_PORT)}{path}"
        with urllib.request.urlopen(url, timeout=timeout_seconds) as answer:
            return str(answer.read().decode())

    def keep_serial_log(self) -> None:
        """What the kernel said last: all there is of a machine that hangs."""
        images.ARTEFACTS.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # QEMU did not even start
            shutil.copy(
                self._directory / "serial.log", images.ARTEFACTS / f"{self.name}-serial.log"
            )

    def shell(self, command: str) -> list[str]:
        return [*self.ssh(), command]

    def ssh(self) -> list[str]:
        """ssh to root on the node, over one connection that all commands share."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "ControlMaster": "auto",
            "ControlPath": str(self._directory / "ssh"),
            "ControlPersist": "60",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        key = str(images.ssh_key())
        return ["ssh", "-i", key, "-p", str(self.port(SSH_PORT)), *words, "root@127.0.0.1"]


@contextlib.contextmanager
def booted(release: str = "bookworm", name: str | None = None) -> Iterator[VirtualMachine]:
    """A fresh machine of a Debian release; where a test fails, its serial log is kept."""
    name = name or f"vm-{release}"
    ports = {SSH_PORT: free_port(), PRODUCT_PORT: free_port()}
    with tempfile.TemporaryDirectory(prefix="nodemend-lab-") as temporary:
        directory = Path(temporary)
        log = directory / "qemu.log"
        machine = VirtualMachine(name, release, directory, ports)
        with running(_qemu(release, directory, ports), log) as process:
            try:
                wait_until_up(machine.is_up, process, log, name, BOOT_SECONDS_MAX)
                yield machine
            except BaseException:
                machine.keep_serial_log()
                raise


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _qemu(release: str, directory: Path, ports: Mapping[int, int]) -> list[str]:
    disk = directory / "disk.img"
    kernel, initrd = images.disk(release, disk)
    forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in ports.items())
    return [
        *("qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=multi"),
        *("-smp", str(PROCESSORS), "-m", str(MEMORY_MEGABYTES), "-display", "none"),
        *("-no-reboot", "-snapshot", "-serial", f"file:{directory / 'serial.log'}"),
        *("-kernel", str(kernel), "-initrd", str(initrd)),
        *("-append", "root=/dev/vda rw console=ttyS0 quiet"),
        *("-drive", f"file={disk},if=virtio,format=raw"),
        # restrict: while the USB NIC is gone, QEMU would answer pings in its network's place.
        *("-netdev", f"user,id=n0,restrict=on,{forwards}"),
        *("-device", "virtio-net-pci,netdev=n0"),
        *("-device", "qemu-xhci,id=xhci"),
    ]
