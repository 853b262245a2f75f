"""What a test may do with a node, whichever kind it is."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from tests.lab.images import LabError

COMMAND_SECONDS_MAX = 60.0
BOOT_ANSWER_SECONDS_MAX = 30.0
POLL_SECONDS = 0.2


class Looks:
    """Looks at a node, over and over: with rests, or it would do nothing but be looked at.

    In software emulation a look takes a good part of a second of the node's one processor.
    """

    def __init__(self, deadline_seconds: float) -> None:
        self._ended = time.monotonic()  # of the rest before
        self._deadline = self._ended + deadline_seconds

    def rest(self) -> bool:
        """Twice as long as the look took; False where the deadline has passed instead."""
        now = time.monotonic()
        if now > self._deadline:
            return False
        time.sleep(max(POLL_SECONDS, 2 * (now - self._ended)))
        self._ended = time.monotonic()
        return True


class Node(ABC):
    """A booted machine with systemd as its process 1 and the product installed."""

    name: str

    @abstractmethod
    def shell(self, command: str) -> list[str]:
        """The host's command line that runs a shell command on the node."""

    def run(
        self, command: str, timeout_seconds: float = COMMAND_SECONDS_MAX, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command; LabError with all it printed where it fails."""
        try:
            done = subprocess.run(
                self.shell(command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            words = f"{self.name}: {command}: no end within {timeout_seconds:.0f} s"
            raise LabError(f"{words}\n{error.stdout!r}\n{error.stderr!r}") from error
        if check and done.returncode:
            words = f"{self.name}: {command}: exit {done.returncode}"
            raise LabError(f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def is_up(self) -> bool:
        """Whether its systemd has finished booting; a failed unit is no hindrance."""
        try:
            done = self.run("systemctl is-system-running", BOOT_ANSWER_SECONDS_MAX, check=False)
        except LabError:
            return False
        return done.stdout.strip() in ("running", "degraded")

    def read(self, path: str) -> str:
        """A file of the node."""
        return self.run(f"cat {shlex.quote(path)}").stdout

    def write(self, path: str, text: str) -> None:
        """Create or replace a file of the node."""
        quoted = shlex.quote(path)
        self.run(f"mkdir -p $(dirname {quoted}) && printf %s {shlex.quote(text)} > {quoted}")

    def put(self, source: Path, path: str) -> None:
        """A file of the host, copied to the node."""
        with source.open("rb") as content:
            done = subprocess.run(
                self.shell(f"cat > {shlex.quote(path)}"),
                stdin=content,
                capture_output=True,
                timeout=COMMAND_SECONDS_MAX,
                check=False,
            )
        if done.returncode:
            raise LabError(f"{self.name}: {path}: {done.stderr!r}")

    def journal(self, arguments: str) -> list[dict[str, Any]]:
        """The journal's entries, each with all its fields."""
        lines = self.run(f"journalctl --no-pager -o json {arguments}").stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def journal_text(self, lines: int = 40) -> str:
        """The product's latest lines, for a failure's message."""
        return self.run(f"journalctl -t nodemend --no-pager -o short-precise -n {lines}").stdout

    def wait_until(self, command: str, deadline_seconds: float = 60.0) -> str:
        """Repeat a command until it succeeds, and return what it printed."""
        looks = Looks(deadline_seconds)
        while True:
            done = self.run(command, check=False)
            if done.returncode == 0:
                return done.stdout
            if not looks.rest():
                words = f"{self.name}: {command}: still fails after {deadline_seconds:.0f} s"
                raise LabError(f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
