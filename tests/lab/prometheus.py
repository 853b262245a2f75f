"""Debian's own Prometheus and promtool, unpacked into the cache: no service on the host."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lab import images
from tests.lab.images import LabError
from tests.lab.machine import free_port

START_SECONDS_MAX = 60.0


def program(name: str) -> Path:
    """`prometheus` or `promtool`, fetched once."""
    unpacked = images.layer("prometheus", "1", _unpack)
    return unpacked / "usr/bin" / name


def check_metrics(text: str) -> str:
    """What promtool says against an exposition; nothing where all is well."""
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode or done.stderr else ""


class Prometheus:
    """A Prometheus that scrapes one target each second."""

    def __init__(self, target: str) -> None:
        self._port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="nodemend-prometheus-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._target = target

    def __enter__(self) -> Prometheus:
        config = self._directory / "prometheus.yml"
        job = {"job_name": "nodemend", "static_configs": [{"targets": [self._target]}]}
        whole = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
        config.write_text(json.dumps(whole))  # JSON is YAML
        words = [
            *("setpriv", "--pdeathsig", "KILL", str(program("prometheus"))),
            f"--config.file={config}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._directory / "log").open("w") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            self._wait_until_ready()
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

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression."""
        words = urllib.parse.urlencode({"query": expression})
        answer = json.loads(self._get(f"/api/v1/query?{words}"))
        return list(answer["data"]["result"])

    def wait_for(self, expression: str, deadline_seconds: float = 60.0) -> list[dict[str, Any]]:
        """Repeat a query until it has a result."""
        deadline = time.monotonic() + deadline_seconds
        while time.monotonic() < deadline:
            if result := self.query(expression):
                return result
            time.sleep(0.5)
        raise LabError(f"no result within {deadline_seconds:.0f} s: {expression}")

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                self._get("/-/ready")
                return
            time.sleep(0.2)
        raise LabError(f"Prometheus does not start: {(self._directory / 'log').read_text()}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
        shutil.rmtree(self._directory, ignore_errors=True)


def _unpack(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as download:
        Path(download).chmod(0o777)  # apt fetches as its own user
        words = ["apt-get", "-qq", "download", "prometheus"]
        done = subprocess.run(
            words, cwd=download, capture_output=True, text=True, timeout=600, check=False
        )
        packages = list(Path(download).glob("prometheus_*.deb"))
        if not packages:
            raise LabError(f"apt-get download prometheus: {done.stderr}; apt-get update may help")
        images.command("dpkg-deb", "-x", packages[0], directory)
