"""A program of the host that ends with the test, however the test ends."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.lab.images import LabError

END_SECONDS_MAX = 30.0
POLL_SECONDS = 0.2


@contextlib.contextmanager
def running(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The running program; all that it prints goes to `log`."""
    # The kernel kills it when this process dies, even by SIGKILL (prctl(2), PR_SET_PDEATHSIG).
    bound = ["setpriv", "--pdeathsig", "KILL", *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            bound, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(END_SECONDS_MAX)


def wait_until_up(
    is_up: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path,
    name: str,
    deadline_seconds: float,
) -> None:
    """LabError with its last words where a program ends by itself or is not up in time."""
    deadline = time.monotonic() + deadline_seconds
    while not is_up():
        words = log.read_text(errors="replace")[-4000:]
        if process.poll() is not None:
            raise LabError(f"{name}: ended with status {process.returncode}\n{words}")
        if time.monotonic() > deadline:
            raise LabError(f"{name}: not up within {deadline_seconds:.0f} s\n{words}")
        time.sleep(POLL_SECONDS)
