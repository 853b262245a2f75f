"""A systemd-nspawn node: real systemd, journald and D-Bus in seconds; no kernel, no USB."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.lab import images
from tests.lab.images import LabError
from tests.lab.node import Node
from tests.lab.process import running, wait_until_up

BOOT_SECONDS_MAX = 120.0
END_SECONDS_MAX = 10.0
_NUMBERS = itertools.count(1)
_ENVIRONMENT = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Container(Node):
    """A booted container, entered through its process 1."""

    def __init__(self, name: str, nspawn: int) -> None:
        self.name = name
        self._nspawn = nspawn

    @property
    def init(self) -> int:
        """Its process 1, the first child of systemd-nspawn. LabError while there is none."""
        children = Path(f"/proc/{self._nspawn}/task/{self._nspawn}/children")
        try:
            return int(children.read_text().split()[0])
        except (OSError, IndexError) as error:
            raise LabError(f"{self.name}: systemd-nspawn has no child") from error

    def shell(self, command: str) -> list[str]:
        inside = ["nsenter", "-t", str(self.init), "-a", "env", "-i", _ENVIRONMENT]
        return [*inside, "sh", "-c", command]


@contextlib.contextmanager
def booted(
    release: str = "bookworm", name: str = "k3s1", state: Path | None = None
) -> Iterator[Container]:
    """A fresh container of a Debian release; what it writes is forgotten with it.

    All of it is in memory, but for `state`: this machine's directory in the product's place.
    """
    # What a former one left behind (systemd-nspawn killed, a worker of pytest replaced) has its
    # name: the veth's, the control group's and that of the directory under /run are made of it.
    name = f"{name}-{release}-{os.getpid()}-{next(_NUMBERS)}"
    words = [
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"),
        *("--private-network", "--network-veth", "--volatile=overlay"),
        *(f"--machine={name}", f"--directory={images.product_root(release)}"),
        *((f"--bind={state}:/var/lib/nodemend",) if state is not None else ()),
    ]
    with tempfile.TemporaryDirectory(prefix="nodemend-lab-") as directory:
        log = Path(directory) / "console.log"
        with running(words, log) as process:
            container = Container(name, process.pid)
            try:
                wait_until_up(container.is_up, process, log, name, BOOT_SECONDS_MAX)
                yield container
            finally:
                _end(container, process)


def _end(container: Container, process: subprocess.Popen[bytes]) -> None:
    """Its process 1 takes everything in the container with it, and nspawn follows."""
    with contextlib.suppress(LabError, ProcessLookupError):
        os.kill(container.init, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS_MAX)
