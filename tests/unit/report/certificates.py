"""Certificates for tests, made once by openssl(1): a CA, a server, two clients."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

# openssl's own defaults make every certificate a CA without saying what it may do; Python 3.13
# refuses such a one (ssl.VERIFY_X509_STRICT, RFC 5280 4.2.1.3).
_MAY_SIGN = ("-addext", "keyUsage=critical,digitalSignature,keyCertSign")


@dataclass(frozen=True)
class Certificates:
    """Where they are."""

    directory: Path

    def file(self, name: str) -> str:
        return str(self.directory / name)


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make(directory: Path) -> Certificates:
    """ca, other-ca; server (127.0.0.1), client (SAN prometheus.example), stranger (other-ca)."""
    for name in ("ca", "other-ca"):
        _self_signed(directory, name)
    _signed(directory, "server", "ca", "IP:127.0.0.1")
    _signed(directory, "client", "ca", "DNS:prometheus.example")
    _signed(directory, "stranger", "other-ca", "DNS:prometheus.example")
    return Certificates(directory)


def _self_signed(directory: Path, name: str) -> None:
    _openssl(
        directory,
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "30", "-subj", f"/CN={name}"),
        *_MAY_SIGN,
    )


def _signed(directory: Path, name: str, ca: str, san: str) -> None:
    _openssl(
        directory,
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "30", "-subj", f"/CN={name}"),
        *("-addext", f"subjectAltName={san}", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key"),
        *_MAY_SIGN,
    )
