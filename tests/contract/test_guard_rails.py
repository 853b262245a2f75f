"""The guard rails of the fast tests hold: each one stops what it is there to stop."""

import os
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest


class Rails(Protocol):
    """What a test sees of the fixture in conftest.py."""

    offences: list[str]


def bind_everywhere() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))


def connect_abroad() -> None:
    with socket.socket() as connection:
        connection.connect(("192.0.2.1", 9))  # RFC 5737: an address for documentation


def send_abroad() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.sendto(b"", ("192.0.2.1", 9))


FORBIDDEN: dict[str, Callable[[], object]] = {
    "run": lambda: subprocess.run(["true"], check=True),
    "system": lambda: os.system("true"),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "fork": os.fork,
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "bind": bind_everywhere,
    "connect": connect_abroad,
    "sendto": send_abroad,
    "resolve": lambda: socket.getaddrinfo("localhost", 80),
    "fetch": lambda: urllib.request.urlopen("http://example.org/"),
    "read": lambda: Path("/sys/kernel/uevent_seqnum").read_text(encoding="ascii"),
    "list": lambda: list(Path("/sys/class/net").iterdir()),
    "scan": lambda: os.scandir("/proc/../sys/class"),
}


@pytest.mark.parametrize("forbidden", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_refuses(forbidden: Callable[[], object], guard_rails: Rails) -> None:
    with pytest.raises(AssertionError, match="a fast test "):
        forbidden()

    assert len(guard_rails.offences) == 1
    guard_rails.offences.clear()


def test_refuses_in_threads(guard_rails: Rails) -> None:
    def offend() -> None:
        with suppress(AssertionError):
            bind_everywhere()

    thread = threading.Thread(target=offend)
    thread.start()
    thread.join()

    assert guard_rails.offences == ["uses the network: '0.0.0.0'"]
    guard_rails.offences.clear()


def test_leaves_loopback_and_unix_sockets_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as connection:
            accepted, _ = listener.accept()
            accepted.close()
        assert connection.fileno() == -1
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))


@pytest.mark.allow_subprocess
def test_a_marker_opens_its_rail_only(guard_rails: Rails) -> None:
    assert subprocess.run(["true"], check=False).returncode == 0
    with pytest.raises(AssertionError):
        connect_abroad()
    guard_rails.offences.clear()
