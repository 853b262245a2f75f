"""Put one pinned pip into the virtual environment that runs this file.

Debian and Ubuntu split ensurepip off into python3-venv, which an unprivileged user cannot install.
`python3 -m venv --without-pip` works everywhere; this file adds the pip, with nothing but the
standard library. Everybody gets the same pip by the same way, whether python3-venv is there or not.

Where it looks: PIP_INDEX_URL (default https://pypi.org/simple), a "simple" index in HTML (PEP 503).
Whom it trusts: the system's certificates, or PIP_CERT; then only the digest below.
"""

import base64
import hashlib
import http.client
import os
import runpy
import ssl
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

PIP_WHEEL = "pip-26.2.1-py3-none-any.whl"
PIP_SHA256 = "71138adf1f4ca900cdb7d289c21b7494329f2332b6d85f0e1c42108c0384ed3e"

DEFAULT_INDEX = "https://pypi.org/simple"
PYTHON_MIN = (3, 10)
TIMEOUT_SECONDS = 60
DOWNLOAD_BYTES_MAX = 32 * 1024 * 1024


class BootstrapError(Exception):
    """What went wrong, and what the person at the keyboard can do about it."""


class LinkFinder(HTMLParser):
    """Finds the one link of a simple index page whose text is the wanted file name."""

    def __init__(self, file_name: str) -> None:
        """Look for `file_name`; `found` is its link once the page was fed."""
        super().__init__()
        self.found = ""
        self._file_name = file_name
        self._href = ""

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, str | None]]") -> None:
        """Remember where the link that is being read leads."""
        if tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_data(self, data: str) -> None:
        """Take the link if this is the text of the wanted one."""
        if data.strip() == self._file_name:
            self.found = self._href


def fetch(url: str) -> bytes:
    """Return what lies at `url`, or raise a BootstrapError that says what to do."""
    host = urllib.parse.urlsplit(url).hostname or url
    try:
        with urllib.request.urlopen(
            _request(url), timeout=TIMEOUT_SECONDS, context=_trust()
        ) as reply:
            content: bytes = reply.read(DOWNLOAD_BYTES_MAX)
    except urllib.error.HTTPError as error:
        raise BootstrapError(
            f"{host} answered {error.code} {error.reason}.\n"
            "If PIP_INDEX_URL is set: is it the address of a simple index, as pip wants it?"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise BootstrapError(_network_advice(host, error)) from error
    return content


def _request(url: str) -> urllib.request.Request:
    """Build the request; a private index carries its user and password in the address."""
    parts = urllib.parse.urlsplit(url)
    if parts.username is None:
        return urllib.request.Request(url)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    user = urllib.parse.unquote(parts.username)
    password = urllib.parse.unquote(parts.password or "")
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return urllib.request.Request(address.geturl(), headers={"Authorization": f"Basic {token}"})


def _trust() -> ssl.SSLContext:
    bundle = os.environ.get("PIP_CERT") or None
    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise BootstrapError(f"PIP_CERT names {bundle}, and that is no usable file.") from error


def _network_advice(host: str, error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"the TLS certificate of {host} is not trusted here ({reason.verify_message}).\n"
            "No certificates on this machine? As root: apt-get install ca-certificates\n"
            "A proxy that signs for itself? Set SSL_CERT_FILE to the file with its CA."
        )
    return (
        f"{host} cannot be reached ({reason}).\n"
        "A proxy? Set https_proxy. A mirror of your own? Set PIP_INDEX_URL to its simple index."
    )


def download_wheel() -> bytes:
    """Find the pinned wheel in the index and return it, if it is what it should be."""
    index = os.environ.get("PIP_INDEX_URL") or DEFAULT_INDEX
    if not index.startswith(("https://", "http://")):
        raise BootstrapError(f"PIP_INDEX_URL is {index!r}, and only http(s) is understood here.")
    page_url = f"{index.rstrip('/')}/pip/"
    finder = LinkFinder(PIP_WHEEL)
    finder.feed(fetch(page_url).decode())
    if not finder.found:
        raise BootstrapError(f"the index {index} does not offer {PIP_WHEEL}.")
    wheel = fetch(urllib.parse.urljoin(page_url, finder.found))
    digest = hashlib.sha256(wheel).hexdigest()
    if digest != PIP_SHA256:
        raise BootstrapError(
            f"{PIP_WHEEL} from {index} is not the file that was pinned.\n"
            f"expected sha256 {PIP_SHA256}\nbut got  sha256 {digest}"
        )
    return wheel


def install(wheel: bytes) -> None:
    """Let the pip inside the wheel install the wheel; Python can import from a wheel as it is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PIP_WHEEL
        path.write_bytes(wheel)
        sys.path.insert(0, str(path))
        options = "--isolated --quiet --no-index --no-deps --force-reinstall"
        sys.argv = ["pip", "install", *options.split(), str(path)]
        runpy.run_module("pip", run_name="__main__")


def main() -> None:
    """Check the interpreter, fetch, verify, install; leave with one clear message otherwise."""
    if sys.version_info < PYTHON_MIN:
        version = sys.version.split()[0]
        sys.exit(
            f"nodemend needs Python 3.10 or later, and {sys.executable} is {version}.\n"
            "Another one can be named: make PYTHON=/usr/bin/python3.11"
        )
    if sys.prefix == sys.base_prefix:
        sys.exit("bootstrap_pip.py changes the Python that runs it: use a virtual environment's.")
    try:
        wheel = download_wheel()
    except BootstrapError as error:
        sys.exit(f"pip could not be fetched: {error}")
    install(wheel)


if __name__ == "__main__":
    main()
