"""The daemon as a process on this machine, with directories and a port of its own."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

DEADLINE_SECONDS = 30.0
ROOT = Path(__file__).parents[2]


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        [sys.executable, "-m", "agent", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


class Process:
    """A running daemon with directories and a port of its own."""

    def __init__(
        self, directory: Path, environment: dict[str, str] | None = None, *options: str
    ) -> None:
        self._options = options
        self.state, self.runtime = directory / "state", directory / "run"
        self.environment = {
            **os.environ,
            **(environment or {}),
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(self.runtime),
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = directory / "config.yaml"
        self.config.write_text(f"listen: 127.0.0.1:{self.port}\n")
        self.output = ""
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "agent", "run", "--config", str(self.config), *self._options],
            cwd=ROOT,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def restart(self) -> None:
        self.process = self._spawn()

    def wait_for_line(self, words: str) -> None:
        """Read the terminal until a line with these words."""
        assert self.process.stderr is not None
        deadline = time.monotonic() + DEADLINE_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            while words not in self.output:
                assert selector.select(max(0.0, deadline - time.monotonic())), self.output
                chunk = os.read(self.process.stderr.fileno(), 65536).decode()
                assert chunk, f"the daemon ended: {self.output}"
                self.output += chunk

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return command(self.environment, *arguments)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        assert self.process.stderr is not None
        with self.process.stderr as terminal:
            self.output += terminal.read()
        return self.process.wait(DEADLINE_SECONDS)
