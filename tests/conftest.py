"""Guard rails: a fast test can neither start a program, nor talk to the network, nor read /sys.

Python reports what it is about to do to audit hooks, whoever does it and in whichever thread
(https://docs.python.org/3/library/audit_events.html). So one hook with one table is enough, and
nothing has to be patched. A test that has a reason opts out by the marker in the table.
"""

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# On a busy machine an example may take long; that is no failure of the property under test.
hypothesis.settings.register_profile("nodemend", deadline=None)
hypothesis.settings.load_profile("nodemend")

REAL_MACHINES = Path(__file__).parent / "e2e"
INTERNET_FAMILIES = (socket.AF_INET, socket.AF_INET6)

Arguments = tuple[Any, ...]
# Says what a test is about to do and must not, or None if it may.
Rail = Callable[[Arguments], str | None]


class OffTheRailsError(AssertionError):
    """A fast test reached for the machine it runs on."""


def starts_a_program(arguments: Arguments) -> str:
    return f"starts a program: {arguments[0]!r}" if arguments else "forks"


def opens_a_foreign_socket(arguments: Arguments) -> str | None:
    family = arguments[1]
    # -1 is what accept() passes: the family of the socket that listens.
    if family in {-1, socket.AF_UNIX, *INTERNET_FAMILIES}:
        return None
    return f"opens a socket of the family {family!r}"


def leaves_loopback(arguments: Arguments) -> str | None:
    """Judge connect, bind and sendto, of which the arguments are the socket and the address."""
    connection, address = arguments[0], arguments[1]
    if connection.family not in INTERNET_FAMILIES or not isinstance(address, tuple):
        return None
    return asks_the_network((address[0],))


def asks_the_network(arguments: Arguments) -> str | None:
    """Judge a host. Names are refused, even localhost: a minimal system has no /etc/hosts."""
    host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
    if host is None:
        return None
    try:
        if ipaddress.ip_address(host).is_loopback:
            return None
    except ValueError:
        pass
    return f"uses the network: {host!r}"


def reads_sysfs(arguments: Arguments) -> str | None:
    path = arguments[0]
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    absolute = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  Path.resolve() reads links
    return f"reads {absolute}" if absolute.startswith("/sys/") or absolute == "/sys" else None


# Audit event: the marker that allows it, and what judges its arguments.
RAILS: dict[str, tuple[str, Rail]] = {
    "subprocess.Popen": ("allow_subprocess", starts_a_program),
    "os.system": ("allow_subprocess", starts_a_program),
    "os.exec": ("allow_subprocess", starts_a_program),
    "os.posix_spawn": ("allow_subprocess", starts_a_program),
    "os.fork": ("allow_subprocess", starts_a_program),
    "os.forkpty": ("allow_subprocess", starts_a_program),
    "socket.__new__": ("allow_network", opens_a_foreign_socket),
    "socket.connect": ("allow_network", leaves_loopback),
    "socket.bind": ("allow_network", leaves_loopback),
    "socket.sendto": ("allow_network", leaves_loopback),
    "socket.getaddrinfo": ("allow_network", asks_the_network),
    "socket.gethostbyname": ("allow_network", asks_the_network),
    "socket.gethostbyaddr": ("allow_network", asks_the_network),
    "open": ("allow_sysfs", reads_sysfs),
    "os.listdir": ("allow_sysfs", reads_sysfs),
    "os.scandir": ("allow_sysfs", reads_sysfs),
}


class GuardRails:
    """The one audit hook; it cannot be taken off again, so it is armed for one test at a time."""

    def __init__(self) -> None:
        self.offences: list[str] = []
        self._armed = False
        self._allowed: frozenset[str] = frozenset()
        sys.addaudithook(self._judge)

    def arm(self, allowed: frozenset[str]) -> None:
        self.offences.clear()
        self._allowed = allowed
        self._armed = True

    def disarm(self) -> None:
        self._armed = False

    def _judge(self, event: str, arguments: Arguments) -> None:
        if not self._armed or event not in RAILS:
            return
        marker, rail = RAILS[event]
        if marker in self._allowed:
            return
        if offence := rail(arguments):
            # Kept as well as raised: the code under test may survive any exception, as it should.
            self.offences.append(offence)
            raise OffTheRailsError(f"a fast test {offence}; if it must: @pytest.mark.{marker}")


RAILS_OF_THIS_PROCESS = GuardRails()


@pytest.fixture(autouse=True)
def guard_rails(request: pytest.FixtureRequest) -> Iterator[GuardRails]:
    """Keep every test off the machine it runs on, except those that are about real machines."""
    rails = RAILS_OF_THIS_PROCESS
    if REAL_MACHINES in request.node.path.parents:
        yield rails
        return
    rails.arm(frozenset(marker.name for marker in request.node.iter_markers()))
    yield rails
    rails.disarm()
    if rails.offences:
        pytest.fail(f"a fast test {rails.offences[0]}, and the code under test hid the refusal")
