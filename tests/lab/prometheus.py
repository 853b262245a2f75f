"""Debian's own Prometheus and promtool, unpacked into the cache: no service on the host."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab import images
from tests.lab.images import LabError
from tests.lab.machine import free_port
from tests.lab.process import running, wait_until_up

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
    """A running Prometheus, asked through its API."""

    def __init__(self, port: int) -> None:
        self._port = port

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

    def is_ready(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            self._get("/-/ready")
            return True
        return False


@contextlib.contextmanager
def scraping(target: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes one target each second."""
    port = free_port()
    job = {"job_name": "nodemend", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    with tempfile.TemporaryDirectory(prefix="nodemend-prometheus-") as temporary:
        directory = Path(temporary)
        log = directory / "log"
        (directory / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        words = [
            str(program("prometheus")),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(words, log) as process:
            prometheus = Prometheus(port)
            wait_until_up(prometheus.is_ready, process, log, "prometheus", START_SECONDS_MAX)
            yield prometheus


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
