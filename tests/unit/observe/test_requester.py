"""From a netlink port to who holds it: in a /proc of our own, by the service, in the real one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.cni import Requester
from agent.observe import holder_service, socket_holders
from agent.observe.requester import Requesters
from agent.observe.socket_holders import Holder
from tests.unit.observe.procs import POD, Procs

NETWORKD = Requester(612, "systemd-network", "systemd-networkd.service")
AGENT = Requester(4711, "cilium-agent", "", "0b5c1d2e-3f40-4a5b-8c6d-7e8f90a1b2c3")


@pytest.fixture
def procs(tmp_path: Path) -> Procs:
    """networkd, whose socket PID 1 made; an agent in a pod; a port whose holder is not seen."""
    procs = Procs(tmp_path)
    procs.process(1, "systemd", "/init.scope", sockets=(70, 71))
    procs.process(612, "systemd-network", "/system.slice/systemd-networkd.service", sockets=(70,))
    procs.process(4711, "cilium-agent", POD, sockets=(72,), number_there=1)
    procs.netlink(p4294962000=70, p1=72, p99=79)
    return procs


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The service, which sees all."""
    monkeypatch.setattr(holder_service, "IDLE_SECONDS", 0.5)
    path = str(tmp_path / "holders.sock")
    seeing = Procs(tmp_path / "all")
    seeing.process(99, "dhclient", "/system.slice/networking.service", sockets=(79,))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        service = threading.Thread(target=holder_service.serve, args=(listening, seeing.proc))
        service.start()
        yield path
        service.join()


def test_a_service_s_socket_is_the_service_s_and_not_process_1s(procs: Procs) -> None:
    assert NETWORKD == Requesters(procs.root).find(4294962000)


def test_a_pod_s_process_is_the_pod_s(procs: Procs) -> None:
    assert AGENT == Requesters(procs.root).find(1), "and not PID 1"


def test_a_port_that_nobody_has_is_nobody_s(procs: Procs) -> None:
    assert Requesters(procs.root).find(4711) is None
    assert Requesters(procs.root).find(101) is None, "another protocol's"


def test_whom_nobody_may_see_is_not_nobody(procs: Procs, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Requesters(procs.root, str(tmp_path / "nothing")).find(99)


def test_the_service_sees_whom_we_may_not(procs: Procs, address: str) -> None:
    found = Requesters(procs.root, address).find(99)

    assert Requester(99, "dhclient", "networking.service") == found


def test_whom_the_service_does_not_see_either(procs: Procs, address: str) -> None:
    procs.netlink(p98=80)

    with pytest.raises(OSError, match="netlink port 98 cannot be seen"):
        Requesters(procs.root, address).find(98)


def test_what_was_looked_at_is_known_until_its_process_is_another(procs: Procs) -> None:
    requesters = Requesters(procs.root, str(procs.root / "nothing"))
    requesters.prepare()
    for descriptor in (procs.proc / "4711/fd").iterdir():
        descriptor.unlink()
    assert AGENT == requesters.find(1)
    stat = procs.proc / "4711/stat"
    stat.write_text(stat.read_text().replace(" 0 0\n", " 900 0\n"))

    with pytest.raises(OSError, match="No such file"):
        requesters.find(1)


def test_all_of_them_are_looked_at_once(procs: Procs, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[object, ...]] = []

    def find(*asked: object) -> dict[str, Holder]:
        looks.append(asked)
        return {}

    monkeypatch.setattr(socket_holders, "find", find)
    requesters = Requesters(procs.root, str(procs.root / "nothing"))
    requesters.prepare()
    requesters.prepare()

    assert 1 == len(looks)


def test_a_socket_that_process_1_keeps_is_known_over_a_restart(procs: Procs) -> None:
    requesters = Requesters(procs.root)
    requesters.find(4294962000)
    (procs.proc / "612/stat").unlink()

    assert "systemd-networkd.service" == getattr(requesters.find(4294962000), "unit", None)


@pytest.mark.parametrize("answer", [b"nonsense\n", b'{"7": {}}\n', b"[]\n", b"{", b""])
def test_an_answer_that_is_none(tmp_path: Path, answer: bytes) -> None:
    path = str(tmp_path / "odd.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def reply() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(100)
                client.sendall(answer)

        service = threading.Thread(target=reply)
        service.start()
        with pytest.raises(OSError, match=r"nonsense|within a line"):
            holder_service.ask(["7"], path)
        service.join()


def test_the_service_ends_when_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder_service, "IDLE_SECONDS", 0.01)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "idle.sock"))
        listening.listen()
        holder_service.serve(listening)


def test_started_by_hand_it_says_who_starts_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)

    assert 2 == holder_service.main()
    assert "nodemend-holders.socket" in capsys.readouterr().err


@pytest.mark.allow_network
def test_a_real_socket_is_our_own() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as own:
        own.bind((0, 0))
        found = Requesters().find(own.getsockname()[0])

    assert found is not None
    assert Path("/proc/self/comm").read_text().strip() == found.process


def test_no_more_than_are_there(procs: Procs) -> None:
    assert {} == socket_holders.find(["4711"], procs.proc)
