"""Debian's own Prometheus, promtool and node_exporter, unpacked: no service on the host."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.lab import images
from tests.lab.images import LabError
from tests.lab.machine import EXPORTER_PORT, free_port
from tests.lab.node import Node
from tests.lab.process import running, wait_until_up

START_SECONDS_MAX = 60.0
EXPORTER = "/usr/local/bin/prometheus-node-exporter"


def program(name: str) -> Path:
    """`prometheus` or `promtool`, fetched once."""
    unpacked = images.layer("prometheus", "1", unpacker("prometheus"))
    return unpacked / "usr/bin" / name


def start_exporter(node: Node) -> None:
    """Debian's node_exporter on a node, as the unit `exporter`."""
    unpacked = images.layer("node-exporter", "1", unpacker("prometheus-node-exporter"))
    node.put(unpacked / "usr/bin/prometheus-node-exporter", EXPORTER)
    node.run(f"chmod +x {EXPORTER} && systemd-run -q --unit exporter {EXPORTER}")
    node.wait_until(f"ss -lnt | grep -q :{EXPORTER_PORT}")


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

    def samples(self, selector: str, seconds: float) -> list[tuple[float, float]]:
        """Every sample of the last so many seconds, of whichever series, in its order."""
        found = (series["values"] for series in self.query(f"{selector}[{seconds:.0f}s]"))
        return sorted((float(at), float(value)) for values in found for at, value in values)

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
def scraping(
    target: str, name: str = "nodemend", interval: str = "1s", rules: str = ""
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes one target, and goes by the rules of a file's text."""
    port = free_port()
    job = {"job_name": name, "static_configs": [{"targets": [target]}]}
    config = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "scrape_configs": [job],
        "rule_files": ["rules.yml"] if rules else [],
    }
    with tempfile.TemporaryDirectory(prefix="nodemend-prometheus-") as temporary:
        directory = Path(temporary)
        log = directory / "log"
        (directory / "rules.yml").write_text(rules)
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


def unpacker(package: str) -> Callable[[Path], None]:
    """Unpacks Debian's package of this name into a directory."""

    def unpack(directory: Path) -> None:
        with tempfile.TemporaryDirectory() as download:
            Path(download).chmod(0o777)  # apt fetches as its own user
            words = ["apt-get", "-qq", "download", package]
            done = subprocess.run(
                words, cwd=download, capture_output=True, text=True, timeout=600, check=False
            )
            packages = list(Path(download).glob(f"{package}_*.deb"))
            if not packages:
                words_on_it = f"{done.stderr}; apt-get update may help"
                raise LabError(f"apt-get download {package}: {words_on_it}")
            images.command("dpkg-deb", "-x", packages[0], directory)

    return unpack
