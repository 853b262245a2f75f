"""HTTP: /metrics, /healthz, and a page that leads there. It reads a snapshot and nothing else.

One thread per connection, a bounded number of them, a time limit on each read and on the whole:
a connection beyond the bound is closed at once.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any

from agent.model.snapshot import Snapshot
from agent.report import metrics

CONNECTIONS_MAX = 16
READ_TIMEOUT_SECONDS = 5.0
CONNECTION_SECONDS_MAX = 10.0  # a scrape takes milliseconds; who sends a byte now and then is cut

_LANDING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>nodemend</title></head>
<body><h1>nodemend {version}</h1>
<ul><li><a href="/metrics">/metrics</a> for Prometheus</li>
<li><a href="/healthz">/healthz</a> of the daemon itself</li></ul>
<p>What it sees: <code>nodemend status</code> on the node.</p></body></html>
"""


def healthz(snapshot: Snapshot) -> tuple[HTTPStatus, str]:
    """Of the daemon, never of the node: 503 with the reasons where a source failed."""
    sources = {
        name: {"condition": source.condition, "detail": source.detail}
        for name, source in snapshot.sources.items()
    }
    failed = any(source.condition == "failed" for source in snapshot.sources.values())
    status = HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK
    return status, json.dumps({"healthy": not failed, "sources": sources}, indent=1) + "\n"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.0"  # one request per connection: nothing idles in a thread
    timeout = READ_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        snapshot = self.server.snapshot()
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, metrics.CONTENT_TYPE, metrics.exposition(snapshot))
        elif path == "/healthz":
            status, body = healthz(snapshot)
            self._answer(status, "application/json", body.encode())
        elif path == "/":
            page = _LANDING.format(version=snapshot.version)
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page.encode())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"known here: / /metrics /healthz\n")

    do_HEAD = do_GET  # noqa: N815  the base class's name for it

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        return "nodemend"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  inherited
        """Scrapes are not events."""


class Server(HTTPServer):
    """Serves until closed, on threads of its own."""

    request_queue_size = CONNECTIONS_MAX

    def __init__(self, host: str, port: int, snapshot: Callable[[], Snapshot]) -> None:
        """Bind and serve; OSError where the address cannot be had."""
        self.snapshot = snapshot
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        self._slots = BoundedSemaphore(CONNECTIONS_MAX)
        self._deadlines: dict[socket.socket, float] = {}
        Thread(target=self.serve_forever, name="http", daemon=True).start()

    def server_bind(self) -> None:
        """Bind only: the base class would look up the host's name, which can hang on DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it where there are too many already."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._deadlines[request] = time.monotonic() + CONNECTION_SECONDS_MAX
        try:
            Thread(target=self._serve, args=(request, client_address), daemon=True).start()
        except RuntimeError:  # no more threads (TasksMax=)
            self._finish(request)

    def service_actions(self) -> None:
        """Called by the acceptor twice a second: cut off who takes too long."""
        now = time.monotonic()
        for request, deadline in list(self._deadlines.items()):
            if now > deadline:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or sent nonsense is no event."""

    def close(self) -> None:
        """Stop accepting; answers under way are not waited for."""
        self.shutdown()
        self.server_close()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001  one connection must not end the thread
            self.handle_error(request, client_address)
        finally:
            self._finish(request)

    def _finish(self, request: Any) -> None:
        self._deadlines.pop(request, None)
        self.shutdown_request(request)
        self._slots.release()
