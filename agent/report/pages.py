"""What is served at which path, in which form; nothing here knows of sockets.

What is rendered is remembered for as long as the snapshot is the same: a flood of scrapes costs
one rendering a turn of the loop.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from agent.model.snapshot import Snapshot
from agent.report import metrics
from agent.report.page import page

HTML = "text/html; charset=utf-8"
# The page is made of words from devices and kernels; should one ever slip through unescaped, it
# can load and run nothing.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
GZIP_LEVEL = 6


@dataclass(frozen=True)
class Asked:
    """What an answer depends on."""

    path: str
    accept: str = ""
    accept_encoding: str = ""
    details: bool = False  # whether the asker may see more than that all is well


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def healthz(snapshot: Snapshot) -> tuple[HTTPStatus, str]:
    """Of the daemon, never of the node: 503 with the reasons where a source failed."""
    sources = {
        name: {"condition": source.condition, "detail": source.detail}
        for name, source in snapshot.sources.items()
    }
    failed = any(source.condition == "failed" for source in snapshot.sources.values())
    status = HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK
    return status, json.dumps({"healthy": not failed, "sources": sources}, indent=1) + "\n"


class Pages:
    """Answers for the present snapshot."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        """`snapshot` gives the present one, the same object for as long as nothing changes."""
        self._snapshot = snapshot
        self._rendered_of: Snapshot | None = None
        self._rendered: dict[object, bytes] = {}

    def answer(self, asked: Asked) -> Answer:
        """The answer to a GET of this path."""
        snapshot = self._snapshot()
        if asked.path == "/metrics":
            return self._metrics(snapshot, asked)
        if asked.path == "/healthz":
            status, text = healthz(snapshot)
            return Answer(status, "application/json", text.encode())
        if asked.path == "/":
            html = page(snapshot, details=asked.details).encode()
            return Answer(HTTPStatus.OK, HTML, html, PAGE_HEADERS)
        return plain(HTTPStatus.NOT_FOUND, "known here: / /metrics /healthz")

    def _metrics(self, snapshot: Snapshot, asked: Asked) -> Answer:
        is_open = accepts(asked.accept, "application/openmetrics-text")
        content_type = metrics.OPENMETRICS if is_open else metrics.TEXT
        body = self._once(
            snapshot, content_type, lambda: metrics.exposition(snapshot, content_type)
        )
        headers = {"Vary": "Accept, Accept-Encoding"}
        if accepts(asked.accept_encoding, "gzip"):
            plain_body = body
            body = self._once(
                snapshot, (content_type, "gzip"), lambda: gzip.compress(plain_body, GZIP_LEVEL)
            )
            headers["Content-Encoding"] = "gzip"
        return Answer(HTTPStatus.OK, content_type, body, headers)

    def _once(self, snapshot: Snapshot, form: object, render: Callable[[], bytes]) -> bytes:
        if snapshot is not self._rendered_of:
            self._rendered_of, self._rendered = snapshot, {}
        if form not in self._rendered:
            self._rendered[form] = render()
        return self._rendered[form]


def plain(status: HTTPStatus, words: str, **headers: str) -> Answer:
    """A sentence for people."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, "text/plain; charset=utf-8", f"{words}\n".encode(), named)


def accepts(header: str, wanted: str) -> bool:
    """Whether an Accept header names it, and not with `q=0`, which means never (RFC 9110, 12.4.2).

    Which of several is liked best does not matter here: whoever names the richer form gets it.
    """
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name == wanted:
            weights = [p.partition("=")[2].strip() for p in parameters if p.startswith("q=")]
            return all(weight.strip("0.") != "" for weight in weights)
    return False
