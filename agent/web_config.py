"""The web configuration: TLS, users, headers and a rate limit, in the exporter-toolkit's format.

https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md. As strict
as our own configuration: unknown keys and values are errors with file, line and key, and what
could not be put into force is refused.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.web_tls import (
    CIPHER_SUITES,
    CLIENT_AUTH,
    CLIENT_AUTH_REFUSED,
    CURVES,
    VERSIONS,
    VERSIONS_REFUSED,
    TlsSettings,
    UnusableTls,
    context_of,
)
from agent.yaml_reader import (
    ConfigError,
    Parser,
    Reader,
    Wrong,
    boolean,
    kind_of,
    list_of,
    nested,
    scalar,
    text,
)

FILE_BYTES_MAX = 256 * 1024
USERS_MAX = 64
LIST_ITEMS_MAX = 64
BCRYPT_COST_MIN, BCRYPT_COST_MAX = (
    4,
    15,
)  # some two seconds for one password; each step above doubles it
_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class RateLimit:
    """A token bucket over all requests."""

    interval_seconds: float
    burst: int


@dataclass(frozen=True)
class WebConfig:
    """A whole, valid web configuration, ready to be put into force."""

    path: str
    files: tuple[str, ...]  # all that it was read from
    tls: ssl.SSLContext | None = None
    verifies_clients: bool = False
    allowed_sans: tuple[str, ...] = ()  # of client certificates; none: any
    users: Mapping[str, str] = field(default_factory=dict)  # name -> bcrypt hash
    headers: Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None

    @property
    def knows_its_clients(self) -> bool:
        """Whether nobody is answered without having proved who they are."""
        return bool(self.users) or self.verifies_clients


def load(path: Path) -> WebConfig:
    """Read and check it and all files that it names. ConfigError."""
    reader = Reader(str(path))
    root = reader.compose(_content(path))
    if root is None:
        return WebConfig(str(path), (str(path),))
    values = reader.section(root, "", _ROOT)
    tls, files = None, [str(path)]
    wanted = values.get("tls_server_config")
    if wanted and not reader.problems:
        tls = _tls(reader, root, wanted, path.parent, files)
    if reader.problems:
        raise ConfigError(reader.problems)
    limit = values.get("rate_limit", {})
    return WebConfig(
        path=str(path),
        files=tuple(files),
        tls=tls,
        verifies_clients=tls is not None and tls.verify_mode == ssl.CERT_REQUIRED,
        allowed_sans=(wanted or {}).get("client_allowed_sans", ()),
        users=values.get("basic_auth_users", {}),
        headers=values.get("http_server_config", {}).get("headers", {}),
        rate_limit=RateLimit(limit["interval"], limit.get("burst", 1))
        if limit.get("interval")
        else None,
    )


def _content(path: Path) -> str:
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}:1: not UTF-8 text (byte {error.start})"]) from error
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise OSError(27, f"larger than {FILE_BYTES_MAX} bytes")
    return raw


# --- TLS: several keys that depend on each other -----------------------------------------------


def _tls(
    reader: Reader, root: yaml.Node, values: dict[str, Any], directory: Path, files: list[str]
) -> ssl.SSLContext | None:
    place = "tls_server_config"
    node = next(v for k, v in root.value if k.value == place)
    pems = {
        name: _pem(reader, node, name, values, directory, files)
        for name in ("cert", "key", "client_ca")
    }
    for name in ("cert", "key"):
        if pems[name] is None and not reader.problems:
            reader.complain(node, place, f"{name}_file (or {name}) is missing")
    auth = values.get("client_auth_type", ssl.CERT_NONE)
    if pems["client_ca"] is not None and auth == ssl.CERT_NONE:
        reader.complain(node, place, "client_ca_file is given, but client_auth_type asks for none")
    if pems["client_ca"] is None and auth != ssl.CERT_NONE:
        words = "client_auth_type verifies certificates, but client_ca_file is missing"
        reader.complain(node, place, words)
    if values.get("client_allowed_sans") and auth != ssl.CERT_REQUIRED:
        words = "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert"
        reader.complain(node, place, words)
    versions = {key: values[key] for key in ("min_version", "max_version") if key in values}
    if reader.problems:
        return None
    settings = TlsSettings(
        certificate=pems["cert"] or b"",
        key=pems["key"] or b"",
        client_ca=pems["client_ca"],
        client_auth=auth,
        ciphers=values.get("cipher_suites", ()),
        prefer_server_ciphers=values.get("prefer_server_cipher_suites", True),
        curve=next(iter(values.get("curve_preferences", ())), None),
        **versions,
    )
    if settings.min_version > settings.max_version:
        reader.complain(node, f"{place}.min_version", "above max_version")
        return None
    try:
        return context_of(settings)
    except UnusableTls as error:
        reader.complain(node, place, str(error))
        return None


def _pem(
    reader: Reader,
    node: yaml.Node,
    name: str,
    values: dict[str, Any],
    directory: Path,
    files: list[str],
) -> bytes | None:
    """The text given inline, or that of the file that is named."""
    inline, file = values.get(name), values.get(f"{name}_file")
    if inline and file:
        reader.complain(node, f"tls_server_config.{name}", f"given twice, also as {name}_file")
    if inline:
        return str(inline).encode()
    if not file:
        return None
    path = directory / file  # one that is absolute stays so
    files.append(str(path))
    try:
        return _read(path)
    except OSError as error:
        words = f"{path}: {error.strerror}"
        reader.complain(node, f"tls_server_config.{name}_file", words)
        return None


# --- single values -------------------------------------------------------------------------------


def _one_of(known: Mapping[str, Any], refused: Mapping[str, str]) -> Parser:
    def parse(_reader: Reader, node: yaml.Node, _key: str) -> Any:
        wanted = ", ".join(known)
        value = scalar(node, wanted)
        if value in refused:
            raise Wrong(f"{value} is refused: {refused[value]}")
        if value not in known:
            raise Wrong(f"expected one of {wanted}, found {value!r}")
        return known[value]

    return parse


def _header(allowed: tuple[str, ...] | None) -> Parser:
    def parse(_reader: Reader, node: yaml.Node, _key: str) -> str:
        value = scalar(node, "a header's value")
        if not value.isprintable() or not value.isascii():
            raise Wrong("a header's value has printable ASCII characters only")
        if allowed and value.lower() not in allowed:
            raise Wrong(f"expected {' or '.join(allowed)}, found {value!r}")
        return value

    return parse


def _users(reader: Reader, node: yaml.Node, key: str) -> dict[str, str]:
    if not isinstance(node, yaml.MappingNode):
        raise Wrong(f"expected names and bcrypt hashes, found {kind_of(node)}")
    if len(node.value) > USERS_MAX:
        raise Wrong(f"at most {USERS_MAX} users, found {len(node.value)}")
    users: dict[str, str] = {}
    for name_node, hash_node in node.value:
        name = scalar(name_node, "a user's name")
        value = scalar(hash_node, "a bcrypt hash")
        found = _BCRYPT.fullmatch(value)
        if name in users:
            reader.complain(name_node, f"{key}.{name}", "given twice")
        elif not found:  # the value is a secret, even where it is a wrong one: not shown
            words = "expected a bcrypt hash as from `htpasswd -nBC 10`, $2y$10$ and 53 characters"
            reader.complain(hash_node, f"{key}.{name}", words)
        elif not BCRYPT_COST_MIN <= int(found[1]) <= BCRYPT_COST_MAX:
            most = f"{BCRYPT_COST_MIN:02} to {BCRYPT_COST_MAX}"
            words = f"cost {found[1]}: expected {most}; 10 takes some 70 ms"
            reader.complain(hash_node, f"{key}.{name}", words)
        users[name] = value
    return users


def _interval(_reader: Reader, node: yaml.Node, _key: str) -> float:
    value = scalar(node, "a duration like 100ms or 1s; 0 for no limit")
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h)|0", value)
    if not found:
        raise Wrong(f"expected a duration like 100ms or 1s, or 0 for no limit, found {value!r}")
    return int(found[1]) * _SECONDS[found[2]] if found[1] else 0.0


def _burst(_reader: Reader, node: yaml.Node, _key: str) -> int:
    value = scalar(node, "a whole number")
    if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
        raise Wrong(f"expected a whole number from 1 to 999999, found {value!r}")
    return int(value)


_TLS: dict[str, Parser] = {
    "cert": text,
    "key": text,
    "client_ca": text,
    "cert_file": text,
    "key_file": text,
    "client_ca_file": text,
    "client_auth_type": _one_of(CLIENT_AUTH, CLIENT_AUTH_REFUSED),
    "client_allowed_sans": list_of(text, LIST_ITEMS_MAX),
    "min_version": _one_of(VERSIONS, VERSIONS_REFUSED),
    "max_version": _one_of(VERSIONS, VERSIONS_REFUSED),
    "cipher_suites": list_of(_one_of(CIPHER_SUITES, {}), LIST_ITEMS_MAX),
    "prefer_server_cipher_suites": boolean,
    "curve_preferences": list_of(_one_of(CURVES, {}), 1),
}
_HEADERS: dict[str, Parser] = {
    "Content-Security-Policy": _header(None),
    "X-Frame-Options": _header(("deny", "sameorigin")),
    "X-Content-Type-Options": _header(("nosniff",)),
    "X-XSS-Protection": _header(None),
    "Strict-Transport-Security": _header(None),
}
_ROOT: dict[str, Parser] = {
    "tls_server_config": nested(_TLS),
    # http2: offered by nobody who speaks HTTP/1.1 only, and so neither answer is wrong.
    "http_server_config": nested({"http2": boolean, "headers": nested(_HEADERS)}),
    "basic_auth_users": _users,
    "rate_limit": nested({"interval": _interval, "burst": _burst}),
}
