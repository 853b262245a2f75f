"""TLS, client certificates, users, headers and limits, as the web configuration has them."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

from agent.report import http as served
from agent.report.http import Server
from agent.web_config import WebConfig, load
from agent.yaml_reader import ConfigError
from tests.unit.report.certificates import Certificates
from tests.unit.report.snapshots import a_busy_snapshot

pytestmark = pytest.mark.allow_subprocess
DEADLINE_SECONDS = 20.0
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
MUTUAL = TLS + "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
USERS = "basic_auth_users:\n  alice: {}\n"

Read = WebConfig | ConfigError


class Served:
    """A server with a web configuration, and what it told of it since."""

    def __init__(self, certificates: Certificates, text: str) -> None:
        self.certificates = certificates
        self.path = certificates.directory / "served.yaml"
        self.path.write_text(text)
        self.told: list[Read] = []
        self.heard = threading.Event()
        web = load(self.path)
        self.server = Server("127.0.0.1", 0, a_busy_snapshot, web, self._hear)

    def _hear(self, read: Read) -> None:
        self.told.append(read)
        self.heard.set()

    def rewrite(self, text: str) -> Read:
        """Until the server has looked."""
        self.heard.clear()
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)
        assert self.heard.wait(DEADLINE_SECONDS)
        return self.told[-1]

    def get(
        self, path: str = "/metrics", client: str | None = None, password: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Over TLS; `client` names the certificate to show."""
        context = ssl.create_default_context(cafile=self.certificates.file("ca.crt"))
        if client is not None:
            chain = (self.certificates.file(f"{client}.{end}") for end in ("crt", "key"))
            context.load_cert_chain(*chain)
        return self._ask(
            http.client.HTTPSConnection(
                *self.server.address, timeout=DEADLINE_SECONDS, context=context
            ),
            path,
            password,
        )

    def get_plainly(
        self, path: str = "/metrics", password: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(*self.server.address, timeout=DEADLINE_SECONDS)
        return self._ask(connection, path, password)

    @staticmethod
    def _ask(
        connection: http.client.HTTPConnection, path: str, password: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        credentials = base64.b64encode(f"alice:{password}".encode()).decode()
        headers = {} if password is None else {"Authorization": f"Basic {credentials}"}
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


Serve = Callable[[str], Served]


@pytest.fixture
def serve(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr(served, "LOOK_SECONDS", 0.05)
    with contextlib.ExitStack() as stack:

        def start(text: str) -> Served:
            found = Served(certificates, text)
            stack.callback(found.server.close)
            return found

        yield start


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def test_tls(serve: Serve) -> None:
    server = serve(TLS)

    assert 200 == server.get()[0]
    with pytest.raises((http.client.HTTPException, OSError)):
        server.get_plainly()


def test_only_who_has_a_certificate_of_the_ca_is_answered(serve: Serve) -> None:
    server = serve(MUTUAL)

    assert 200 == server.get(client="client")[0]
    for other in (None, "stranger"):
        with pytest.raises((http.client.HTTPException, OSError)):
            server.get(client=other)


def test_only_the_names_that_are_allowed(serve: Serve) -> None:
    assert (
        200
        == serve(MUTUAL + "  client_allowed_sans: [prometheus.example]\n").get(client="client")[0]
    )
    with pytest.raises((http.client.HTTPException, OSError)):
        serve(MUTUAL + "  client_allowed_sans: [other.example]\n").get(client="client")


def test_users(serve: Serve) -> None:
    server = serve(USERS.format(hashed("secret")))

    assert 200 == server.get_plainly(password="secret")[0]
    for password in (None, "wrong", ""):
        status, headers, body = server.get_plainly(password=password)
        assert (401, 'Basic realm="nodemend", charset="UTF-8"') == (
            status,
            headers["www-authenticate"],
        )
        assert b"nodemend_" not in body
    assert 401 == server.get_plainly("/nothing")[0], "what there is, is nobody's business"


def test_configured_headers_overrule_our_own(serve: Serve) -> None:
    text = "http_server_config: {headers: {Content-Security-Policy: default-src 'self'}}\n"
    _status, headers, _body = serve(text).get_plainly("/")

    assert "default-src 'self'" == headers["content-security-policy"]
    assert "nosniff" == headers["x-content-type-options"]


def test_a_rate_limit(serve: Serve) -> None:
    server = serve("rate_limit: {interval: 1h, burst: 2}\n")

    assert [200, 200, 429] == [server.get_plainly()[0] for _ in range(3)]


def test_a_new_password_holds_and_the_old_one_does_not_any_more(serve: Serve) -> None:
    server = serve(USERS.format(hashed("old")))
    assert 200 == server.get_plainly(password="old")[0]

    assert isinstance(server.rewrite(USERS.format(hashed("new"))), WebConfig)
    wait_until(lambda: server.get_plainly(password="new")[0] == 200)
    assert 401 == server.get_plainly(password="old")[0]


def test_a_broken_one_is_told_once_and_the_old_one_stays(serve: Serve) -> None:
    server = serve(USERS.format(hashed("secret")))
    refused = server.rewrite("basic_auth_usrs: {}\n")

    assert isinstance(refused, ConfigError)
    assert "did you mean basic_auth_users" in str(refused)
    assert (200, 401) == (
        server.get_plainly(password="secret")[0],
        server.get_plainly()[0],
    )
    server.rewrite(USERS.format(hashed("third")))
    assert 2 == len(server.told)


def test_a_certificate_that_is_renewed_is_shown(serve: Serve, certificates: Certificates) -> None:
    server = serve(TLS)
    before = shown(server)
    for end in ("crt", "key"):
        renewed = Path(certificates.file(f"client.{end}")).read_text()
        kept = Path(certificates.file(f"server.{end}"))
        kept.rename(kept.with_suffix(f".{end}.kept"))
        kept.write_text(renewed)
    try:
        wait_until(lambda: shown(server) != before)
    finally:
        for end in ("crt", "key"):
            kept = Path(certificates.file(f"server.{end}"))
            kept.with_suffix(f".{end}.kept").rename(kept)


def test_tls_switched_on_without_a_refused_connection(serve: Serve) -> None:
    server = serve("")
    assert 200 == server.get_plainly()[0]
    server.rewrite(TLS)

    wait_until(lambda: 200 == server.get()[0])


def test_who_was_connected_before_is_asked_anew(serve: Serve) -> None:
    server = serve("")
    connection = http.client.HTTPConnection(*server.server.address, timeout=DEADLINE_SECONDS)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    server.rewrite(USERS.format(hashed("secret")))

    assert b"" == connection.sock.recv(1)
    connection.close()


def shown(server: Served) -> str:
    return ssl.get_server_certificate(server.server.address, timeout=DEADLINE_SECONDS)


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(400):
        with contextlib.suppress(OSError, http.client.HTTPException):
            if condition():
                return
        pause.wait(0.05)
    pytest.fail("it did not come true")
