"""A systemd-nspawn node: real systemd, journald and D-Bus in seconds; no kernel, no USB."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.lab import images
from tests.lab.images import LabError
from tests.lab.node import Node

BOOT_SECONDS_MAX = 120.0


class Container(Node):
    """Boots on entry, is gone on exit; what it writes is forgotten with it."""

    def __init__(self, release: str = "bookworm", name: str = "k3s1") -> None:
        self.name = f"{name}-{release}"
        self._root = images.product_root(release)
        self._directory = Path(tempfile.mkdtemp(prefix="nodemend-lab-"))
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._init: int | None = None

    def __enter__(self) -> Container:
        words = [
            *("setpriv", "--pdeathsig", "KILL", "systemd-nspawn", "--quiet", "--boot"),
            *("--register=no", "--keep-unit", "--private-network", "--network-veth"),
            *("--volatile=overlay", f"--machine={self.name}", f"--directory={self._root}"),
        ]
        log = self._stack.enter_context((self._directory / "console.log").open("w"))
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def shell(self, command: str) -> list[str]:
        environment = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = ["nsenter", "-t", str(self._init), "-a", "env", "-i", environment]
        return [*inside, "sh", "-c", command]

    def _wait(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise LabError(f"{self.name}: {(self._directory / 'console.log').read_text()}")
            self._init = _first_child(self._process.pid)
            if self._init is not None:
                state = self.run("systemctl is-system-running", 30, check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.2)
        raise LabError(f"{self.name}: not up within {BOOT_SECONDS_MAX:.0f} s")

    def _end(self) -> None:
        if self._init is not None:
            # Its process 1 takes everything in the container with it; nspawn follows.
            with contextlib.suppress(OSError):
                subprocess.run(["kill", "-KILL", str(self._init)], check=False)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait(30)
        self._stack.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def _first_child(pid: int) -> int | None:
    """The process 1 of the container that this nspawn runs."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None
