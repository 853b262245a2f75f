"""HTTP over a real socket on loopback."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agent.model.snapshot import Snapshot
from agent.report import pages
from agent.report.http import Server
from tests.unit.report.snapshots import a_busy_snapshot


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server("127.0.0.1", 0, a_busy_snapshot)
    yield server
    server.close()


def get(
    server: Server, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def exchange(server: Server, sent: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    with socket.create_connection(server.address, timeout=20) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received


def test_metrics(server: Server) -> None:
    status, headers, body = get(server, "/metrics")

    assert (200, "text/plain; version=0.0.4; charset=utf-8") == (status, headers["content-type"])
    assert b'nodemend_nic_carrier_losses_total{nic="uplink"} 3.0' in body


PROMETHEUS_ACCEPTS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
)


def test_openmetrics_where_prometheus_asks_for_it(server: Server) -> None:
    status, headers, body = get(server, "/metrics", Accept=PROMETHEUS_ACCEPTS)

    assert 200 == status
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    parse: Any = text_string_to_metric_families
    families = {family.name for family in parse(body.decode())}
    assert "nodemend_nic_carrier_losses" in families


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/plain", "application/openmetrics-text;q=0", "application/openmetrics-text2"],
)
def test_the_text_format_for_everybody_else(server: Server, accept: str) -> None:
    assert get(server, "/metrics", Accept=accept)[1]["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("accepted", "is_gzipped"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("notgzip", False),
    ],
)
def test_gzip_where_it_is_accepted(server: Server, accepted: str, is_gzipped: bool) -> None:
    _status, headers, body = get(server, "/metrics", Accept_Encoding=accepted)

    assert is_gzipped == (headers.get("content-encoding") == "gzip")
    text = gzip.decompress(body) if is_gzipped else body
    assert b"nodemend_build_info" in text


def test_healthz_names_what_failed(server: Server) -> None:
    status, _headers, body = get(server, "/healthz")

    assert 503 == status
    health = json.loads(body)
    assert not health["healthy"]
    assert "No space left on device" in health["sources"]["store"]["detail"]


def test_the_page_can_load_and_run_nothing(server: Server) -> None:
    status, headers, body = get(server, "/")

    assert 200 == status
    assert b'href="/metrics"' in body
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "nosniff" == headers["x-content-type-options"]


def test_details_are_for_who_asks_from_the_node(server: Server) -> None:
    assert b"6c:1f:f7:1b:e8:c8" in get(server, "/")[2]
    asked = pages.Asked("/", details=False)
    assert b"6c:1f:f7:1b:e8:c8" not in pages.Pages(a_busy_snapshot).answer(asked).body


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/metrics/../etc/passwd",
        "/metrics%00",
        "//metrics",
        "/%2e%2e/",
        "*",
        "/metrics/",
    ],
)
def test_other_paths_are_not_found(server: Server, path: str) -> None:
    answer = exchange(server, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 404 ")


def test_a_query_changes_nothing(server: Server) -> None:
    assert 200 == get(server, "/metrics?name[]=x")[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_there_is_no_path_that_writes(server: Server, method: str) -> None:
    status, headers, _body = get(server, "/metrics", method)

    assert (405, "GET, HEAD") == (status, headers["allow"])


def test_a_body_is_not_even_read(server: Server) -> None:
    sent = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxxxx"

    assert exchange(server, sent).startswith(b"HTTP/1.1 413 ")


def test_head_is_a_get_without_its_body(server: Server) -> None:
    status, headers, body = get(server, "/metrics", "HEAD")

    assert (200, b"") == (status, body)
    assert int(headers["content-length"]) > 1000


def test_a_connection_is_kept_and_used_again(server: Server) -> None:
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    for _ in range(3):
        connection.request("GET", "/metrics")
        first = connection.sock
        assert connection.getresponse().read()
        assert first is connection.sock
    connection.close()


def test_several_questions_in_one_piece_are_answered_in_order(server: Server) -> None:
    question = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = exchange(server, question % b"/healthz" + question % b"/nothing")

    assert answer.index(b"503 Service") < answer.index(b"404 Not Found")


def test_http_1_0_is_answered_and_closed(server: Server) -> None:
    assert b"nodemend_build_info" in exchange(server, b"GET /metrics HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200, b"400"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"\0" * 50 + b"\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000, b"431"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"413"),
    ],
)
def test_what_is_not_http_is_refused_and_closed(server: Server, sent: bytes, status: bytes) -> None:
    assert exchange(server, sent).startswith(b"HTTP/1.1 " + status)


def test_a_page_that_cannot_be_rendered_is_an_error_and_no_end(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_snapshot: Snapshot, *, details: bool) -> str:
        raise RuntimeError(details)

    monkeypatch.setattr(pages, "page", fail)
    assert 500 == get(server, "/")[0]
    assert 200 == get(server, "/metrics")[0]


def test_one_snapshot_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = 0
    snapshot = a_busy_snapshot()

    def counted(_snapshot: Snapshot, _content_type: str) -> bytes:
        nonlocal rendered
        rendered += 1
        return b"# EOF\n"

    monkeypatch.setattr("agent.report.metrics.exposition", counted)
    present = [snapshot]
    served = pages.Pages(lambda: present[0])
    for _ in range(5):
        served.answer(pages.Asked("/metrics", accept_encoding="gzip"))
    assert 1 == rendered
    present[0] = replace(snapshot, version="2")
    served.answer(pages.Asked("/metrics"))
    assert 2 == rendered


def test_it_says_where_it_is_and_that_it_is_well(server: Server) -> None:
    assert server.failure is None
    server.close()
    assert "its thread has ended" == server.failure


def test_a_listening_socket_that_was_shut_down_is_a_failure(server: Server) -> None:
    server._listening.shutdown(socket.SHUT_RDWR)
    for _ in range(100_000):
        if server.failure:
            break
    else:
        pytest.fail("nothing is said of it")

    assert "no connection is accepted" in server.failure
