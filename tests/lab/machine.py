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
from pathlib import Path
from types import TracebackType
from typing import TextIO

from tests.lab import images
from tests.lab.images import LabError
from tests.lab.node import Node

BOOT_SECONDS_MAX = 240.0
PROCESSORS = 2
MEMORY_MEGABYTES = 1536
PRODUCT_PORT = 19100


class VirtualMachine(Node):
    """Boots on entry, is gone on exit, and leaves its serial log where a test failed."""

    def __init__(self, release: str = "bookworm", name: str | None = None) -> None:
        self.release = release
        self.name = name or f"vm-{release}"
        self._ports = {22: free_port(), PRODUCT_PORT: free_port()}
        self._directory = Path(tempfile.mkdtemp(prefix="nodemend-lab-"))
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> VirtualMachine:
        try:
            self._start()
            self._wait_for_ssh()
        except BaseException:
            self._save_serial_log()
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._save_serial_log()
        self._end()

    def port(self, port: int) -> int:
        """The host's port, on 127.0.0.1, that leads to this port of the node."""
        return self._ports[port]

    def get(self, path: str, timeout_seconds: float = 30.0) -> str:
        """What the product answers over HTTP, asked from the host."""
        url = f"http://127.0.0.1:{self.port(PRODUCT_PORT)}{path}"
        with urllib.request.urlopen(url, timeout=timeout_seconds) as answer:
            return str(answer.read().decode())

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
        return ["ssh", "-i", key, "-p", str(self._ports[22]), *words, "root@127.0.0.1"]

    def _start(self) -> None:
        root = images.product_root(self.release)
        disk = images.disk(self.release, self._directory / "disk.img")
        kernel, initrd = root / "vmlinuz", root / "initrd.img"
        forwards = ",".join(
            f"hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in self._ports.items()
        )
        # setpriv: however the test ends, its machine ends with it.
        words = [
            *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"),
            *("-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=multi"),
            *("-smp", str(PROCESSORS), "-m", str(MEMORY_MEGABYTES), "-display", "none"),
            *("-no-reboot", "-snapshot", "-serial", f"file:{self._serial_log}"),
            *("-kernel", str(kernel.resolve()), "-initrd", str(initrd.resolve())),
            *("-append", "root=/dev/vda rw console=ttyS0 quiet"),
            *("-drive", f"file={disk},if=virtio,format=raw"),
            *("-netdev", f"user,id=n0,{forwards}", "-device", "virtio-net-pci,netdev=n0"),
            *("-device", "qemu-xhci,id=xhci"),
            *("-qmp", f"unix:{self._directory / 'qmp'},server,nowait"),
        ]
        log: TextIO = self._stack.enter_context((self._directory / "qemu.log").open("w"))
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait_for_ssh(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise LabError(f"{self.name}: {(self._directory / 'qemu.log').read_text()}")
            # Until the guest listens, the forward accepts and closes at once.
            if self.run("systemctl is-system-running", 30, check=False).stdout.strip() in (
                "running",
                "degraded",
            ):
                return
            time.sleep(1)
        raise LabError(f"{self.name}: not up within {BOOT_SECONDS_MAX:.0f} s")

    @property
    def _serial_log(self) -> Path:
        return self._directory / "serial.log"

    def _save_serial_log(self) -> None:
        with contextlib.suppress(OSError):
            images.ARTEFACTS.mkdir(exist_ok=True)
            shutil.copy(self._serial_log, images.ARTEFACTS / f"{self.name}-serial.log")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
        self._stack.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
