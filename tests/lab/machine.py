"""A virtual machine: its own kernel, USB stack, udev and networkd, in software emulation.

KVM is not used even where it is there: nested, it hangs (and a test must not depend on it).
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.lab import images, qmp
from tests.lab.images import LabError
from tests.lab.node import POLL_SECONDS, Node
from tests.lab.process import running, wait_until_up

BOOT_SECONDS_MAX = 360.0  # of software emulation, on a host that does other things as well
# The lab runs two machines on what may be two processors. With two each, a kernel spins on locks
# whose holder does not run: it takes twice as long to boot.
PROCESSORS = 1
MEMORY_MEGABYTES = 1536
SSH_PORT, PRODUCT_PORT, EXPORTER_PORT = 22, 19100, 9100
BOOT_ID = "/proc/sys/kernel/random/boot_id"


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

    def cut_power(self) -> None:
        """Pull its cord and plug it in again, and wait until it is up.

        What the machine wrote to its disk is there again; what it only meant to write is not. One
        that hangs on its way up, as emulated ones do now and then, has its cord pulled once more.
        """
        before = self.boot_id()
        if not any(self._comes_up_after_reset(before) for _ in range(2)):
            words = f"not up within {BOOT_SECONDS_MAX:.0f} s of a power cut, nor of another one"
            raise LabError(f"{self.name}: {words}")

    def _comes_up_after_reset(self, before: str) -> bool:
        self.reset()
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while self.boot_id() in ("", before) or not self.is_up():
            if time.monotonic() > deadline:
                self.keep_serial_log()
                return False
            time.sleep(POLL_SECONDS)
        return True

    def reset(self) -> None:
        """Press its reset button; wait for nothing."""
        leave = [*self.ssh(), "-O", "exit"]  # or its next command would wait for the dead one
        subprocess.run(leave, capture_output=True, timeout=30, check=False)
        qmp.execute(self._directory / "qmp", "system_reset")

    def boot_id(self) -> str:
        """Another one with each boot; empty while it does not answer."""
        with contextlib.suppress(LabError):
            return self.run(f"cat {BOOT_ID}", check=False).stdout.strip()
        return ""

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
    ports = {port: free_port() for port in (SSH_PORT, PRODUCT_PORT, EXPORTER_PORT)}
    with tempfile.TemporaryDirectory(prefix="nodemend-lab-") as temporary:
        directory = Path(temporary)
        log = directory / "qemu.log"
        machine = VirtualMachine(name, release, directory, ports)
        with running(_qemu(release, directory, ports), log) as process:
            try:
                _boot(machine, process, log)
                yield machine
            except BaseException:
                machine.keep_serial_log()
                raise


def _boot(machine: VirtualMachine, process: subprocess.Popen[bytes], log: Path) -> None:
    """Up, or, where it hangs on its way, once more from its reset: no test has begun yet."""
    try:
        wait_until_up(machine.is_up, process, log, machine.name, BOOT_SECONDS_MAX)
    except LabError:
        machine.keep_serial_log()
        if process.poll() is not None:
            raise
        machine.reset()
        wait_until_up(machine.is_up, process, log, machine.name, BOOT_SECONDS_MAX)


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
        # Without cmpxchg16b: QEMU 7.2 spoils the flags register with it when the host is busy, and
        # the kernel, which allocates by it (mm/slub.c), dies of a double fault.
        *("qemu-system-x86_64", "-machine", "q35", "-cpu", "max,-cx16"),
        *("-accel", "tcg,thread=multi"),
        *("-smp", str(PROCESSORS), "-m", str(MEMORY_MEGABYTES), "-display", "none"),
        # What is written lasts as long as QEMU does, over the machine's own reboots.
        *("-snapshot", "-serial", f"file:{directory / 'serial.log'}"),
        *("-qmp", f"unix:{directory / 'qmp'},server=on,wait=off"),
        *("-kernel", str(kernel), "-initrd", str(initrd)),
        *("-append", "root=/dev/vda rw console=ttyS0 quiet"),
        *("-drive", f"file={disk},if=virtio,format=raw"),
        # restrict: while the USB NIC is gone, QEMU would answer pings in its network's place.
        # ipv6: by its router advertisements, every few minutes, the node would have a way out.
        *("-netdev", f"user,id=n0,restrict=on,ipv6=off,{forwards}"),
        *("-device", "virtio-net-pci,netdev=n0"),
        *("-device", "qemu-xhci,id=xhci"),
    ]
