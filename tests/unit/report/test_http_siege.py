"""Who only holds connections open, or guesses passwords, keeps no scrape out, and costs little."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

from agent.report import http as served
from agent.report import http_connection
from agent.report.http import CONNECTIONS_MAX, Server
from agent.web_config import load
from tests.unit.report.certificates import Certificates
from tests.unit.report.snapshots import Turning

pytestmark = pytest.mark.allow_subprocess
BESIEGERS = 500
DEADLINE_SECONDS = 20.0
ALICE = "Basic " + base64.b64encode(b"alice:secret").decode()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server("127.0.0.1", 0, Turning())
    yield server
    server.close()


@pytest.fixture
def guarded(certificates: Certificates) -> Iterator[Server]:
    """TLS, and a user."""
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path = certificates.directory / "guarded.yaml"
    path.write_text(
        "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
        f'basic_auth_users: {{alice: "{hashed}"}}\n'
    )
    server = Server("127.0.0.1", 0, Turning(), load(path))
    yield server
    server.close()


def scrape(server: Server, certificates: Certificates | None = None) -> float:
    """Seconds until a whole, right answer is there."""
    began = time.perf_counter()
    if certificates is None:
        client = http.client.HTTPConnection(*server.address, timeout=DEADLINE_SECONDS)
    else:
        context = ssl.create_default_context(cafile=certificates.file("ca.crt"))
        client = http.client.HTTPSConnection(
            *server.address, timeout=DEADLINE_SECONDS, context=context
        )
    with contextlib.closing(client):
        client.request("GET", "/metrics", headers={"Authorization": ALICE})
        answer = client.getresponse()
        body = answer.read()
        assert (200, True) == (answer.status, b"nodemend_build_info" in body)
    return time.perf_counter() - began


BESIEGED: dict[str, bytes] = {
    "idle": b"",
    "slow": b"GET /metrics HTTP/1.1\r\nHo",
    "asking and taking nothing": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 5,
    "headers without end": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Y: z\r\n" * 1000,
    "half a handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no TLS at all": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
}


@contextlib.contextmanager
def besieging(server: Server, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        held = []
        for _ in range(BESIEGERS):
            client = stack.enter_context(
                socket.create_connection(server.address, timeout=DEADLINE_SECONDS)
            )
            with contextlib.suppress(OSError):
                client.sendall(sent)
            held.append(client)
        yield held


@pytest.mark.parametrize("sent", BESIEGED.values(), ids=BESIEGED)
def test_a_scrape_is_answered_whoever_else_is_connected(server: Server, sent: bytes) -> None:
    with besieging(server, sent):
        for _ in range(3):
            scrape(server)
        assert len(server._connections) + len(server._shaking_hands) <= CONNECTIONS_MAX


@pytest.mark.parametrize("sent", BESIEGED.values(), ids=BESIEGED)
def test_the_same_over_tls(guarded: Server, certificates: Certificates, sent: bytes) -> None:
    scrape(guarded, certificates)
    with besieging(guarded, sent):
        for _ in range(3):
            scrape(guarded, certificates)
        assert len(guarded._connections) + len(guarded._shaking_hands) <= CONNECTIONS_MAX


def test_nothing_is_left_of_a_siege(server: Server) -> None:
    scrape(server)
    before = descriptors(), threading.active_count()
    for sent in BESIEGED.values():
        with besieging(server, sent):
            pass
    wait_for(lambda: not server._connections and not server._shaking_hands)
    wait_for(lambda: descriptors() <= before[0] and threading.active_count() <= before[1])
    wait_for(lambda: len(server._tasks) == 1, "only the one that accepts")


def test_a_flood_of_wrong_passwords_slows_no_known_one(
    guarded: Server, certificates: Certificates
) -> None:
    scrape(guarded, certificates)
    wrong = guarded.address
    context = ssl.create_default_context(cafile=certificates.file("ca.crt"))
    done = threading.Event()
    statuses: list[int] = []

    def guess(guesser: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            word = base64.b64encode(f"alice:{guesser}-{number}".encode()).decode()
            client = http.client.HTTPSConnection(*wrong, timeout=10, context=context)
            with (
                contextlib.closing(client),
                contextlib.suppress(OSError, http.client.HTTPException),
            ):
                client.request("GET", "/metrics", headers={"Authorization": f"Basic {word}"})
                statuses.append(client.getresponse().status)

    guessers = [threading.Thread(target=guess, args=(number,)) for number in range(4)]
    for guesser in guessers:
        guesser.start()
    try:
        wait_for(lambda: len(statuses) >= 20)
        for _ in range(3):
            scrape(guarded, certificates)
    finally:
        done.set()
        for guesser in guessers:
            guesser.join(DEADLINE_SECONDS)
    assert set(statuses) <= {401, 503}


def test_a_client_that_is_slow_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "REQUEST_SECONDS_MAX", 0.2)
    with socket.create_connection(server.address, timeout=DEADLINE_SECONDS) as slow:
        slow.sendall(b"GET /metrics HT")

        assert b"" == slow.recv(1)


def test_a_client_that_idles_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "IDLE_SECONDS_MAX", 0.2)
    client = http.client.HTTPConnection(*server.address, timeout=DEADLINE_SECONDS)
    client.request("GET", "/healthz")
    client.getresponse().read()

    assert b"" == client.sock.recv(1)
    client.close()


def test_a_handshake_that_never_ends_is_cut_off(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "REQUEST_SECONDS_MAX", 0.2)
    with socket.create_connection(guarded.address, timeout=DEADLINE_SECONDS) as slow:
        slow.sendall(BESIEGED["half a handshake"])

        assert b"" == slow.recv(1)


def test_ten_megabytes_of_headers_are_not_kept(server: Server) -> None:
    with socket.create_connection(server.address, timeout=DEADLINE_SECONDS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            for _ in range(160):
                client.sendall(b"X: " + b"a" * 65_000 + b"\r\n")
                sent += 65_000
            pytest.fail("all of it was taken")
        assert sent < 8_000_000  # what the kernel's buffers hold


def test_it_closes_at_once_with_everybody_connected(guarded: Server) -> None:
    with besieging(guarded, b""):
        guarded.close()

        assert "its thread has ended" == guarded.failure


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def wait_for(condition: Callable[[], bool], words: str = "") -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, words
        pause.wait(0.02)


def test_no_client_is_worth_a_line(
    guarded: Server, certificates: Certificates, capfd: pytest.CaptureFixture[str]
) -> None:
    for sent in BESIEGED.values():
        with besieging(guarded, sent):
            scrape(guarded, certificates)
    guarded.close()

    assert ("", "") == capfd.readouterr()
