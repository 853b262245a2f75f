"""The exporter-toolkit's web configuration: what is taken, and what is refused with which words."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path

import pytest

from agent.web_config import USERS_MAX, RateLimit, load
from agent.yaml_reader import ConfigError
from tests.unit.report.certificates import Certificates
from tests.unit.report.conftest import certificates  # noqa: F401  a fixture of theirs

pytestmark = pytest.mark.allow_subprocess

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"


def written(certificates: Certificates, text: str) -> Path:  # noqa: F811
    path = certificates.directory / "web.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_configures_nothing(certificates: Certificates) -> None:  # noqa: F811
    web = load(written(certificates, ""))

    assert (None, {}, {}, None, False) == (
        web.tls,
        web.users,
        web.headers,
        web.rate_limit,
        web.knows_its_clients,
    )


def test_everything_that_can_be_configured(certificates: Certificates) -> None:  # noqa: F811
    text = f"""\
tls_server_config:
  cert_file: server.crt
  key_file: {certificates.file("server.key")}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256]
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: "0"
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: {HASH}
rate_limit:
  interval: 500ms
  burst: 3
"""
    web = load(written(certificates, text))

    assert web.tls is not None
    assert ssl.CERT_REQUIRED == web.tls.verify_mode
    names = {cipher["name"] for cipher in web.tls.get_ciphers()}
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in names
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" not in names
    assert not web.tls.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert ("prometheus.example", "10.0.0.1") == web.allowed_sans
    assert {"alice": HASH} == web.users
    assert "deny" == web.headers["X-Frame-Options"]
    assert RateLimit(0.5, 3) == web.rate_limit
    assert web.knows_its_clients
    assert {"web.yaml", "server.crt", "server.key", "ca.crt"} == {Path(f).name for f in web.files}


def test_certificates_may_stand_in_the_file_itself(certificates: Certificates) -> None:  # noqa: F811
    def indented(name: str) -> str:
        return (certificates.directory / name).read_text().replace("\n", "\n    ")

    text = f"tls_server_config:\n  cert: |\n    {indented('server.crt')}\n"
    text += f"  key: |\n    {indented('server.key')}\n"

    assert load(written(certificates, text)).tls is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tls_server: {}\n", ":1: tls_server: unknown key; did you mean tls_server_config?"),
        ("[]\n", "expected keys and values"),
        ("tls_server_config:\n  cert_file: server.crt\n", "key_file (or key) is missing"),
        (TLS + "  min_version: TLS10\n", ":4: tls_server_config.min_version: TLS10 is refused"),
        (TLS + "  min_version: SSL3\n", "expected one of TLS12, TLS13, found 'SSL3'"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "above max_version"),
        (TLS + "  client_auth_type: RequestClientCert\n", "takes certificates without verifying"),
        (TLS + "  client_auth_type: VerifyClientCertIfGiven\n", "client_ca_file is missing"),
        (TLS + "  client_ca_file: ca.crt\n", "client_auth_type asks for none"),
        (TLS + "  client_ca_file: gone.crt\n", "gone.crt: No such file or directory"),
        (TLS + "  client_allowed_sans: [a]\n", "needs client_auth_type"),
        (TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "expected one of TLS_ECDHE"),
        (TLS + "  curve_preferences: [X25519, CurveP256]\n", "at most 1 here"),
        (TLS + "  cert: x\n", "given twice, also as cert_file"),
        (TLS.replace("server.key", "client.key"), "KEY_VALUES_MISMATCH"),
        (TLS.replace("server.key", "server.crt"), "the certificate and its key"),
        (TLS.replace("server.key", "locked.key"), "the key is encrypted"),
        ("http_server_config: {http2: perhaps}\n", "expected true or false"),
        ("http_server_config: {headers: {X-Frame-Options: x}}\n", "expected deny or sameorigin"),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb: c"}}\n', "printable ASCII"),
        ("http_server_config: {headers: {Server: x}}\n", "unknown key"),
        ("basic_auth_users: {alice: secret}\n", ":1: basic_auth_users.alice: expected a bcrypt"),
        (f"basic_auth_users: {{alice: {HASH.replace('10', '31')}}}\n", "cost 31: expected 04 to"),
        (f"basic_auth_users: {{a: {HASH}, a: {HASH}}}\n", "given twice"),
        ("basic_auth_users: [alice]\n", "expected names and bcrypt hashes"),
        ("rate_limit: {interval: soon}\n", "expected a duration like 100ms"),
        ("rate_limit: {interval: 1s, burst: 0}\n", "a whole number from 1"),
        ("a: *b\n", "aliases"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    text: str,
    words: str,
    certificates: Certificates,  # noqa: F811
) -> None:
    locked = certificates.directory / "locked.key"
    if "locked" in text and not locked.exists():
        lock = ["openssl", "ec", "-in", certificates.file("server.key"), "-aes128"]
        lock += ["-passout", "pass:secret", "-out", str(locked)]
        subprocess.run(lock, check=True, capture_output=True)
    path = written(certificates, text)
    with pytest.raises(ConfigError) as refused:
        load(path)

    assert words in str(refused.value)
    assert str(refused.value).startswith(f"{path}:")
    assert "secret" not in str(refused.value)


def test_all_mistakes_are_told_at_once(certificates: Certificates) -> None:  # noqa: F811
    text = "tls: 1\nrate_limit: {burst: x}\nbasic_auth_users: {a: b, c: d}\n"
    with pytest.raises(ConfigError) as refused:
        load(written(certificates, text))

    assert 4 == len(refused.value.problems)


def test_too_many_users_are_refused(certificates: Certificates) -> None:  # noqa: F811
    users = "".join(f"  u{number}: {HASH}\n" for number in range(USERS_MAX + 1))
    with pytest.raises(ConfigError, match="at most 64 users"):
        load(written(certificates, f"basic_auth_users:\n{users}"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        load(tmp_path / "gone.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(tmp_path / "binary")


def test_the_one_in_the_readme_is_taken(certificates: Certificates) -> None:  # noqa: F811
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (text,) = (b for b in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if "cert_file" in b)
    for name in ("node.crt", "node.key"):
        text = text.replace(name, name.replace("node", "server"))
    web = load(written(certificates, text.replace("$2y$10$...", HASH)))

    assert web.verifies_clients
    assert {"prometheus"} == web.users.keys()
