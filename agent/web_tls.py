"""TLS as the exporter-toolkit's configuration words it, by Python's ssl.

What ssl cannot do is refused with the reason: a setting that is passed over in silence is a
hole that nobody sees.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VERSIONS: Mapping[str, ssl.TLSVersion] = {
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
VERSIONS_REFUSED: Mapping[str, str] = dict.fromkeys(
    ("TLS10", "TLS11"), "it is broken, and Python's ssl no longer speaks it: use TLS12"
)
CLIENT_AUTH: Mapping[str, ssl.VerifyMode] = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
CLIENT_AUTH_REFUSED: Mapping[str, str] = dict.fromkeys(
    ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert"),
    "it takes certificates without verifying them, which proves nothing and which Python's ssl "
    "does not do: use RequireAndVerifyClientCert",
)
# Go's names, and OpenSSL's (ciphers(1)); the ones of TLS 1.3 can be chosen by neither.
CIPHER_SUITES: Mapping[str, str] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
CURVES: Mapping[str, str] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}


@dataclass(frozen=True)
class TlsSettings:
    """What the configuration says, checked, with the certificates' texts."""

    certificate: bytes  # PEM, as are the next two
    key: bytes
    client_ca: bytes | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()  # OpenSSL's names
    prefer_server_ciphers: bool = True
    curve: str | None = None


class UnusableTls(ValueError):
    """A certificate, a key or a setting that OpenSSL does not take."""


def context_of(settings: TlsSettings) -> ssl.SSLContext:
    """The context that a server accepts connections with. UnusableTls."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = settings.min_version
    context.maximum_version = settings.max_version
    context.set_alpn_protocols(["http/1.1"])
    if not settings.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    with _in_words("cipher_suites"):
        if settings.ciphers:
            context.set_ciphers(":".join(settings.ciphers))
    with _in_words("curve_preferences"):
        if settings.curve is not None:
            context.set_ecdh_curve(settings.curve)
    with _in_words("client_ca"):
        if settings.client_ca is not None:
            context.load_verify_locations(cadata=settings.client_ca.decode("ascii", "replace"))
    context.verify_mode = settings.client_auth
    with (
        _in_words("the certificate and its key"),
        _file(settings.certificate) as certificate,
        _file(settings.key) as key,
    ):
        context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    return context


def _refuse_to_ask() -> str:
    """Without this OpenSSL would ask on the terminal, and wait for ever."""
    raise UnusableTls("the key is encrypted: nobody is there to type its password")


@contextlib.contextmanager
def _in_words(what: str) -> Iterator[None]:
    try:
        yield
    except UnusableTls:
        raise
    except (ssl.SSLError, ValueError, OSError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise UnusableTls(f"{what}: OpenSSL does not take it: {reason}") from error


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[str]:
    """OpenSSL reads keys from files only; this one is in memory and has no name."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
