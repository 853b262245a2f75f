"""Links from rtnetlink messages: real ones, and the ones that must not count."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from agent.model.facts import Fact, LinkGone, LinkSeen, SourceGap
from agent.netlink_messages import RTM_DELLINK, RTM_NEWLINK, ifinfmsg
from agent.observe import rtnetlink
from tests.builders import LINK

RTM_NEWADDR = 20  # linux/rtnetlink.h


def message(kind: int = RTM_NEWLINK, family: int = socket.AF_UNSPEC, **attributes: Any) -> bytes:
    link = ifinfmsg()
    link["family"] = family
    link["ifi_type"] = 1
    link["index"] = 3
    link["flags"] = 1
    link["header"]["type"] = kind
    link["attrs"] = [
        ("IFLA_IFNAME", attributes.pop("ifname", LINK.device)),
        ("IFLA_ADDRESS", LINK.mac),
        ("IFLA_CARRIER", 1),
        ("IFLA_CARRIER_UP_COUNT", 1),
        ("IFLA_CARRIER_DOWN_COUNT", 0),
        *((f"IFLA_{name.upper()}", value) for name, value in attributes.items()),
    ]
    link.encode()
    return bytes(link.data)


class Wire:
    """Stands for the kernel's end: a socket pair gives what the event socket would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = 0
        self._monkeypatch = monkeypatch
        self.replies: list[Any] = []
        monkeypatch.setattr(rtnetlink, "_open_event_socket", self._open)
        self.events = rtnetlink.LinkEvents()

    def _open(self) -> Any:
        self.opened += 1
        return self

    def recvmsg(self, _size: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        if not self.replies:
            raise BlockingIOError
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        data, flags, sender = reply if isinstance(reply, tuple) else (reply, 0, 0)
        return data, [], flags, (sender, 1)

    def close(self) -> None:
        self.replies.clear()

    def read(self, *replies: Any) -> list[Fact]:
        self.replies.extend(replies)
        facts, read_all = self.events.read()
        assert read_all
        return facts


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


def test_a_link_message(wire: Wire) -> None:
    permanent = bytes.fromhex(LINK.mac.replace(":", ""))
    (fact,) = wire.read(message(perm_address=permanent))

    assert isinstance(fact, LinkSeen)
    assert LINK == fact.link


def test_a_gone_link(wire: Wire) -> None:
    (fact,) = wire.read(message(RTM_DELLINK))

    assert isinstance(fact, LinkGone)
    assert (3, LINK.device) == (fact.ifindex, fact.device)


def test_several_messages_in_one_datagram(wire: Wire) -> None:
    assert 3 == len(wire.read(message() * 3))


@pytest.mark.parametrize("family", [socket.AF_INET6, 7])
@pytest.mark.parametrize("kind", [RTM_NEWLINK, RTM_DELLINK])
def test_messages_of_other_families_do_not_count(wire: Wire, family: int, kind: int) -> None:
    assert [] == wire.read(message(kind, family))


def test_other_messages_do_not_count(wire: Wire) -> None:
    assert [] == wire.read(message(RTM_NEWADDR))


def test_messages_of_other_processes_do_not_count(wire: Wire) -> None:
    assert [] == wire.read((message(), 0, 4711))


@pytest.mark.parametrize(
    ("info", "physical"),
    [
        ({"attrs": [("IFLA_INFO_KIND", "veth")]}, False),
        ({"attrs": [("IFLA_INFO_SLAVE_KIND", "bridge")]}, True),
    ],
)
def test_a_bridge_port_is_physical_and_a_veth_is_not(
    wire: Wire, info: dict[str, Any], *, physical: bool
) -> None:
    assert physical == bool(wire.read(message(linkinfo=info)))
    assert physical == bool(wire.read(message(RTM_DELLINK, linkinfo=info)))


def test_a_name_that_is_not_utf_8_is_a_name_all_the_same(wire: Wire) -> None:
    name = LINK.device.encode()
    (fact,) = wire.read(message().replace(name, b"\xff" + name[1:]))

    assert isinstance(fact, LinkSeen)
    assert "\\xffnx6c1ff71be8c8" == fact.link.device


def test_the_permanent_address_is_the_identity(wire: Wire) -> None:
    (fact,) = wire.read(message(perm_address=bytes.fromhex("020000000001")))

    assert isinstance(fact, LinkSeen)
    assert "02:00:00:00:00:01" == fact.link.mac


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (OSError(errno.ENOBUFS, "No buffer space available"), "ENOBUFS"),
        (OSError(errno.EBADF, "Bad file descriptor"), "Bad file descriptor"),
        ((b"", socket.MSG_TRUNC, 0), "cut off"),
        (message()[:60], "unreadable message"),
        (message() + b"\x07", "unreadable message"),
        (message(ifname=""), "unreadable message"),
    ],
    ids=["overflow", "error", "truncated by us", "cut off", "surplus", "nameless"],
)
def test_a_loss_reopens_the_socket_and_says_so(wire: Wire, loss: Any, words: str) -> None:
    facts = wire.read(message(), loss, message())

    assert [LinkSeen, SourceGap] == [type(fact) for fact in facts]
    assert isinstance(facts[-1], SourceGap)
    assert words in facts[-1].reason
    assert 2 == wire.opened


def test_a_storm_leaves_the_loop_its_turn(wire: Wire) -> None:
    wire.replies.extend([message()] * 200)

    facts, read_all = wire.events.read()

    assert (rtnetlink.DATAGRAMS_PER_READ_MAX, False) == (len(facts), read_all)


@pytest.mark.allow_network
def test_the_kernel_lists_its_links() -> None:
    links = {link.device: link for link in rtnetlink.list_links(5)}

    assert 1 == links["lo"].ifindex
    assert not links["lo"].physical


@pytest.mark.allow_network
def test_the_event_socket_opens_without_privileges() -> None:
    events = rtnetlink.LinkEvents()

    assert (events.fileno() or 0) > 0
    events.close()
