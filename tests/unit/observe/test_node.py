"""k3s's connections from the kernel's own sockets, Cilium's health from its own mouth."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.observe import cilium, k3s_connections
from agent.observe.k3s import server_port
from agent.observe.node import read_node

UNIT = "sys/fs/cgroup/system.slice/k3s-agent.service"
# To itself, at its own address; and the kernel's list of sockets.
pytestmark = [pytest.mark.allow_network, pytest.mark.allow_sysfs]


def own_address() -> str:
    """An address of this machine that is none of loopback's: that is how a server's looks."""
    found = [each for addresses in psutil.net_if_addrs().values() for each in addresses]
    for each in found:
        if each.family == socket.AF_INET and not each.address.startswith("127."):
            return str(each.address)
    pytest.skip("this machine has no address but loopback's")


def own_control_group() -> Path:
    """Where the tests' own control group is: theirs are the sockets that k3s's would be."""
    path = Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip()
    for hierarchy in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if path and (hierarchy / "cgroup.procs").exists():
            found = hierarchy / path.lstrip("/")
            if found.is_dir() and "cgroup2" in mounted_as(hierarchy):
                return found
    pytest.skip("no control groups of version 2 here")


def mounted_as(place: Path) -> str:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return " ".join(line.split()[2] for line in lines if line.split()[1] == str(place))


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A listening server on this machine, at an address that is not loopback's."""
    with socket.socket() as listening:
        listening.bind((own_address(), 0))
        listening.listen()
        yield listening


def agent_of(root: Path, server: socket.socket, control_group: Path) -> Path:
    """A node whose k3s belongs to this server."""
    host, port = server.getsockname()
    environment = root / "etc/systemd/system/k3s-agent.service.env"
    environment.parent.mkdir(parents=True)
    environment.write_text(f"K3S_URL='https://{host}:{port}'\n")
    (root / UNIT).parent.mkdir(parents=True)
    (root / "sys/fs/cgroup/cgroup.procs").touch()
    (root / UNIT).symlink_to(control_group)
    return root


def test_what_was_heard_last_is_what_the_kernel_says(tmp_path: Path, server: socket.socket) -> None:
    root = agent_of(tmp_path, server, own_control_group())
    assert k3s_connections.heard_ns(root) == 0, "there is no connection"

    with socket.create_connection(server.getsockname()) as connection:
        accepted, _ = server.accept()
        with accepted:
            before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            accepted.sendall(b"x")
            connection.recv(1)
            heard_ns = k3s_connections.heard_ns(root)

    assert heard_ns is not None
    jiffy_ns = 10_000_000  # the kernel counts in them
    assert before_ns - jiffy_ns <= heard_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_connections_of_others_are_not_its(tmp_path: Path, server: socket.socket) -> None:
    own_control_group()
    root = agent_of(tmp_path / "root", server, tmp_path)
    with socket.create_connection(server.getsockname()):
        assert k3s_connections.heard_ns(root) == 0


def test_without_an_agent_there_is_nothing_to_ask(tmp_path: Path) -> None:
    assert k3s_connections.heard_ns(tmp_path) is None
    assert cilium.ailment(tmp_path) is None
    found = read_node(tmp_path)
    assert (None, None) == (found.k3s_heard_ns, found.cilium)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://192.168.1.10:6443", 6443),
        ("https://master1.example.com", 443),
        ("https://192.168.1.10:0", None),
        ("https://192.168.1.10:seven", None),
        ("", None),
    ],
)
def test_the_port_is_the_configurations(tmp_path: Path, url: str, port: int | None) -> None:
    config = tmp_path / "etc/rancher/k3s/config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(f"server: {url!r}\n")
    assert port == server_port(tmp_path)


class _Agent(http.server.BaseHTTPRequestHandler):
    """Cilium's health endpoint: brief, as its own liveness probe asks."""

    status, words = 200, b"ok"

    def do_GET(self) -> None:
        is_asked_right = self.path == "/healthz" and self.headers["brief"] == "true"
        self.send_response(self.status if is_asked_right else 400)
        self.end_headers()
        self.wfile.write(self.words)

    def log_message(self, *_arguments: object) -> None:
        """No word on stderr."""


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    handler = type("Agent", (_Agent,), request.param)
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as agent:
        thread = threading.Thread(target=agent.serve_forever, args=(0.01,))
        thread.start()
        yield agent.server_port
        agent.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({}, ""),
        ({"status": 503, "words": b"Kvstore:\n  disconnected\n"}, "Kvstore: disconnected"),
        ({"status": 500, "words": b""}, "status 500"),
    ],
    indirect=["port"],
)
def test_cilium_says_how_it_is(tmp_path: Path, port: int, expected: str) -> None:
    (tmp_path / "sys/class/net/cilium_host").mkdir(parents=True)
    assert expected == cilium.ailment(tmp_path, port)


def test_an_agent_that_does_not_answer_is_not_known_to_be_ill(
    tmp_path: Path, server: socket.socket
) -> None:
    (tmp_path / "sys/class/net/cilium_host").mkdir(parents=True)
    assert cilium.ailment(tmp_path, server.getsockname()[1]) is None
