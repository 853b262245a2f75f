"""A scrape while five hundred others hold connections: on this machine, at its own speed."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import bcrypt

from agent.report.http import Server
from agent.web_config import load
from tests.bench.node import BenchNode
from tests.bench.table import Row
from tests.unit.report.certificates import Certificates, make
from tests.unit.report.snapshots import Turning
from tests.unit.report.test_http_siege import BESIEGED, BESIEGERS, besieging, scrape

SCRAPES = 20


def measure(_node: BenchNode | None, _options: argparse.Namespace) -> list[Row]:
    """Median and slowest of some scrapes, each over a new connection, by kind of besieger."""
    with tempfile.TemporaryDirectory() as directory:
        certificates = make(Path(directory))
        web = Path(directory) / "web.yaml"
        hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(10)).decode()
        web.write_text(
            "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
            f'basic_auth_users: {{alice: "{hashed}"}}\n'
        )
        plain = Server("127.0.0.1", 0, Turning())
        guarded = Server("127.0.0.1", 0, Turning(), load(web))
        try:
            rows = []
            for name, sent in BESIEGED.items():
                found = (_scrapes(plain, None, sent), _scrapes(guarded, certificates, sent))
                words = f"{found[0]}; with TLS and a password {found[1]}"
                rows.append(Row(f"scrape among {BESIEGERS} {name}: median, slowest", words))
            return rows
        finally:
            plain.close()
            guarded.close()


def _scrapes(server: Server, certificates: Certificates | None, sent: bytes) -> str:
    scrape(server, certificates)  # the password's price is paid once
    with besieging(server, sent):
        took = [scrape(server, certificates) * 1e3 for _ in range(SCRAPES)]
    return f"{statistics.median(took):.0f} ms, {max(took):.0f} ms"
