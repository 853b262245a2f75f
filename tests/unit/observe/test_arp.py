"""ARP: the question as RFC 826 has it, and which packets are its answer."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.observe.arp import LATE_PACKETS_MAX, answers, is_reply_of

OURS, GATEWAY, OTHER = "192.168.1.7", "192.168.1.254", "192.168.1.9"
OUR_MAC, GATEWAY_MAC = bytes.fromhex("6c1ff71be8c8"), bytes.fromhex("020000000001")
NOBODY, EVERYBODY = b"\0" * 6, b"\xff" * 6
ETHERNET_IPV4 = bytes.fromhex("0001 0800 06 04")
REQUEST, REPLY = b"\0\1", b"\0\2"
REVERSE_REPLY = b"\0\4"  # RFC 903
PADDING = b"\0" * 18
SOON, LONG = 0.01, 30.0


def packet(
    sender: str = GATEWAY,
    operation: bytes = REPLY,
    kind: bytes = ETHERNET_IPV4,
    target: str = OURS,
) -> bytes:
    who = GATEWAY_MAC + socket.inet_aton(sender)
    return kind + operation + who + OUR_MAC + socket.inet_aton(target)


class Wire:
    """Stands for the packet socket, and for the one that tells our own address."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.link_address = OUR_MAC
        self.bound: list[tuple[Any, ...]] = []
        self.sent: list[tuple[bytes, tuple[Any, ...]]] = []
        self.asked_route_of: list[tuple[str, int]] = []
        self.bound_devices: list[bytes] = []
        self._types: list[int] = []
        self._family = socket.AF_UNIX

    def open(self, family: int, *_arguments: int) -> AbstractContextManager[Wire]:
        self._family = socket.AddressFamily(family)
        return contextlib.nullcontext(self)

    def arrives(self, data: bytes, packet_type: int = socket.PACKET_HOST) -> None:
        self._far.send(data)
        self._types.append(packet_type)

    def bind(self, address: tuple[Any, ...]) -> None:
        self.bound.append(address)

    def setsockopt(self, _level: int, option: int, value: bytes) -> None:
        assert socket.SO_BINDTODEVICE == option
        self.bound_devices.append(value)

    def connect(self, address: tuple[str, int]) -> None:
        self.asked_route_of.append(address)

    def getsockname(self) -> tuple[Any, ...]:
        if self._family == socket.AF_INET:
            return (OURS, 40000)
        return ("eth0", 0x0806, 0, 1, self.link_address)

    def sendto(self, data: bytes, address: tuple[Any, ...]) -> None:
        self.sent.append((data, address))

    def fileno(self) -> int:
        return self._near.fileno()

    def recvfrom(self, size: int) -> tuple[bytes, tuple[Any, ...]]:
        data = self._near.recv(size)
        return data, ("eth0", 0x0806, self._types.pop(0), 1, GATEWAY_MAC)

    def close(self) -> None:
        self._near.close()
        self._far.close()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", wire.open)
        yield wire
    wire.close()


def test_a_reply_of_the_one_asked() -> None:
    assert is_reply_of(packet(), GATEWAY)
    assert is_reply_of(packet() + PADDING, GATEWAY)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        packet()[:-1],
        packet(OTHER),
        packet(OTHER, target=GATEWAY),
        packet(operation=REQUEST),
        packet(operation=REVERSE_REPLY),
        packet(kind=bytes.fromhex("0006 0800 06 04")),
        packet(kind=bytes.fromhex("0001 86dd 06 04")),
    ],
)
def test_anything_else_is_no_reply(other: bytes) -> None:
    assert not is_reply_of(other, GATEWAY)


@given(st.binary(max_size=64))
def test_random_bytes_are_no_reply(data: bytes) -> None:
    assert not is_reply_of(data, GATEWAY)


@given(st.binary(max_size=22), st.ip_addresses(v=4))
def test_whatever_follows_a_replys_header_only_the_sender_counts(
    rest: bytes, target: object
) -> None:
    data = ETHERNET_IPV4 + REPLY + rest
    is_whole = len(rest) >= 20

    sender = rest[6:10]
    assert (is_whole and sender == socket.inet_aton(str(target))) == is_reply_of(data, str(target))
    if is_whole:
        assert is_reply_of(data, socket.inet_ntoa(sender))


def test_the_request_is_well_formed_and_goes_to_everybody(wire: Wire) -> None:
    wire.arrives(packet())
    assert answers("eth0", GATEWAY, LONG)

    ((request, address),) = wire.sent
    asks = OUR_MAC + socket.inet_aton(OURS) + NOBODY + socket.inet_aton(GATEWAY)
    assert ETHERNET_IPV4 + REQUEST + asks == request
    assert 28 == len(request)
    assert ("eth0", 0x0806, 0, 0, EVERYBODY) == address


def test_both_sockets_are_bound_to_the_link(wire: Wire) -> None:
    wire.arrives(packet())
    assert answers("eth0", GATEWAY, LONG)

    assert [("eth0", 0x0806)] == wire.bound
    assert [b"eth0\0"] == wire.bound_devices
    assert [GATEWAY] == [host for host, _port in wire.asked_route_of]


def test_nobody_answers(wire: Wire) -> None:
    assert not answers("eth0", GATEWAY, SOON)
    assert 1 == len(wire.sent)


def test_others_are_listened_past(wire: Wire) -> None:
    for other in (packet(OTHER), packet(operation=REQUEST), b"\0", packet()):
        wire.arrives(other)

    assert answers("eth0", GATEWAY, LONG)


def test_others_are_no_answer(wire: Wire) -> None:
    wire.arrives(packet(OTHER))

    assert not answers("eth0", GATEWAY, SOON)


def test_what_we_send_ourselves_is_no_answer(wire: Wire) -> None:
    wire.arrives(packet(), socket.PACKET_OUTGOING)

    assert not answers("eth0", GATEWAY, SOON)


def test_an_answer_that_lies_there_after_the_deadline_counts(wire: Wire) -> None:
    wire.arrives(packet(OTHER))
    wire.arrives(packet())

    assert answers("eth0", GATEWAY, -1.0)


def test_a_storm_of_others_does_not_hold_it_up_for_ever(wire: Wire) -> None:
    for _ in range(LATE_PACKETS_MAX):
        wire.arrives(packet(OTHER))
    wire.arrives(packet())

    assert not answers("eth0", GATEWAY, -1.0)


@pytest.mark.parametrize("link_address", [b"", b"\0" * 4, b"\0" * 20])
def test_a_link_that_is_no_ethernet_cannot_be_asked(wire: Wire, link_address: bytes) -> None:
    wire.link_address = link_address

    with pytest.raises(OSError, match="eth0 has no Ethernet address"):
        answers("eth0", GATEWAY, LONG)
    assert [] == wire.sent
