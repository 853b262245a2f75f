"""A link is set up and down by rtnetlink: the kernel's word counts, and its own links prove it."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from agent.act import link

ROOT = Path(__file__).parents[3]
CAP_NET_ADMIN = 12  # linux/capability.h

# In a network namespace of its own, whose only link is lo, and that is down.
IN_A_NAMESPACE = """
import socket, sys
from pathlib import Path

from agent.act import link
from agent.act.child import perform
from agent.model.actions import BounceLink, RaiseLink
from agent.netlink_messages import RTMGRP_LINK, MarshalRtnl

def states():
    found = []
    while True:
        try:
            data = events.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return " ".join(found)
        found += ["up" if each["flags"] & 1 else "down" for each in MarshalRtnl().parse(data)]

events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
events.bind((0, RTMGRP_LINK))
evidence = ("step-1", "step", "uplink", 1, "lo", "2-1", 2)
for action in (RaiseLink(*evidence), BounceLink(*evidence)):
    perform(action, Path(sys.argv[1]))
    print(type(action).__name__, states())
try:
    link.set_up(4711, up=True)
except OSError as error:
    print(error)
"""


class Kernel:
    """A socket whose other end answers as it is told to."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []

    def __call__(self, *_arguments: int) -> AbstractContextManager[Kernel]:
        return nullcontext(self)

    def bind(self, _address: object) -> None:
        pass

    def send(self, request: bytes) -> None:
        self.requests.append(request)

    def recv(self, _size: int) -> bytes:
        return self.answer


def answer(code: int, kind: int = 2) -> bytes:
    fields = ((36, 4), (kind, 2), (0, 2), (1, 4), (0, 4))
    header = b"".join(value.to_bytes(size, sys.byteorder) for value, size in fields)
    return header + code.to_bytes(4, sys.byteorder, signed=True) + bytes(16)


def words_of(code: int, kind: int, monkeypatch: pytest.MonkeyPatch) -> OSError:
    monkeypatch.setattr(socket, "socket", Kernel(answer(code, kind)))
    with pytest.raises(OSError, match="interface 3 cannot be set down") as raised:
        link.set_up(3, up=False)
    return raised.value


@pytest.mark.parametrize("up", [True, False])
def test_only_up_or_down_is_asked_of_that_interface(
    up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(answer(0))
    monkeypatch.setattr(socket, "socket", kernel)
    link.set_up(3, up=up)
    (request,) = kernel.requests
    # struct ifinfomsg, after the header: family, type, index, flags, and which flags are meant.
    words = [int.from_bytes(request[at : at + 4], sys.byteorder) for at in (20, 24, 28)]

    assert [3, int(up), 1] == words
    assert 32 == len(request), "no attribute: nothing else of the link changes"


def test_the_kernel_s_refusal_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    error = words_of(-errno.EPERM, 2, monkeypatch)

    assert errno.EPERM == error.errno
    assert "interface 3 cannot be set down: Operation not permitted" == error.strerror


def test_an_answer_that_is_none_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert errno.EPROTO == words_of(0, 16, monkeypatch).errno


def has_namespaces() -> bool:
    """And may do something in one: a container that shares its host's network has no NET_ADMIN."""
    status = Path("/proc/self/status").read_text()
    capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
    made = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True)
    return bool(capabilities >> CAP_NET_ADMIN & 1) and made.returncode == 0


@pytest.mark.allow_subprocess
def test_a_real_link_goes_down_and_comes_up(tmp_path: Path) -> None:
    if not has_namespaces():
        pytest.skip("needs CAP_NET_ADMIN, and network namespaces")
    usb = tmp_path / "bus/usb/devices/2-1"
    netdev = usb / "2-1:1.0/net/lo"
    netdev.mkdir(parents=True)
    (usb / "devnum").write_text("2\n")
    (netdev / "ifindex").write_text("1\n")
    said = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", IN_A_NAMESPACE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ("", 0) == (said.stderr, said.returncode)
    assert [
        "RaiseLink up",
        "BounceLink down up",
        "[Errno 19] interface 4711 cannot be set up: No such device",
    ] == said.stdout.splitlines()
