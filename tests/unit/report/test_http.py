"""HTTP over a real socket on loopback."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from agent.report.http import CONNECTIONS_MAX, Server
from tests.unit.report.snapshots import a_busy_snapshot


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server("127.0.0.1", 0, a_busy_snapshot)
    yield server
    server.close()


def get(server: Server, path: str) -> tuple[int, str]:
    port = server.server_address[1]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics(server: Server) -> None:
    status, body = get(server, "/metrics")

    assert 200 == status
    assert 'nodemend_nic_carrier_losses_total{nic="uplink"} 3.0' in body


def test_healthz_names_what_failed(server: Server) -> None:
    status, body = get(server, "/healthz")

    assert 503 == status
    health = json.loads(body)
    assert not health["healthy"]
    assert "No space left on device" in health["sources"]["store"]["detail"]


def test_the_landing_page_leads_on(server: Server) -> None:
    status, body = get(server, "/")

    assert 200 == status
    assert 'href="/metrics"' in body


@pytest.mark.parametrize("path", ["/nothing", "/metrics/../etc/passwd", "/metrics%00"])
def test_other_paths_are_not_found(server: Server, path: str) -> None:
    assert 404 == get(server, path)[0]


def test_there_is_no_path_that_writes(server: Server) -> None:
    port = server.server_address[1]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)

    with caught.value as error:
        assert 501 == error.code


def test_connections_beyond_the_bound_are_closed_and_the_rest_is_served(server: Server) -> None:
    address = ("127.0.0.1", server.server_address[1])
    idle = [socket.create_connection(address, timeout=10) for _ in range(CONNECTIONS_MAX)]
    with socket.create_connection(address, timeout=10) as surplus:
        try:
            surplus.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            refused = surplus.recv(1) == b""
        except ConnectionError:
            refused = True

    assert refused
    for connection in idle:
        connection.close()
    deadline_attempts = 100
    statuses = []
    for _ in range(deadline_attempts):
        try:
            statuses.append(get(server, "/metrics")[0])
            break
        except OSError:
            continue
    assert [200] == statuses


def test_who_sends_a_byte_now_and_then_is_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.report.http.CONNECTION_SECONDS_MAX", 0.2)
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10) as slow:
        slow.sendall(b"GET /metrics HT")

        assert b"" == slow.recv(1)
