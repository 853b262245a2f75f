"""A network namespace whose only link is lo: there a test may do to the kernel what it likes.

`python -m tests.unit.observe.namespace` runs in one, prints what it saw as JSON, and is looked at
from outside (test_network.py): to enter one is for good, and the tests' own process must not.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from agent.act import entries as act
from agent.act import link
from agent.model.cni import Entry, EntryChange
from agent.model.facts import Fact
from agent.model.facts_of_cni import NetworkChanged
from agent.observe.network import NetworkEvents, list_network

LO = 1
_HEADER = struct.Struct("=IHHII")
_NEW = {"rule": 32, "route": 24, "address": 20}


def listed(words: str) -> Entry | None:
    entries, _ = list_network(5)
    return next((entry for entry in entries if entry.words == words), None)


def of_lo() -> dict[str, Any]:
    _, links = list_network(5)
    return dataclasses.asdict(links[0])


def delete(entry: Entry) -> int:
    """As another program does; its port."""
    body = bytes.fromhex(entry.payload)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as stranger:
        stranger.bind((0, 0))
        stranger.send(_HEADER.pack(16 + len(body), _NEW[entry.kind] + 1, 0x5, 1, 0) + body)
        answer = stranger.recv(65536)
        assert answer[16:20] == b"\0\0\0\0", answer
        return int(stranger.getsockname()[0])


def there_and_back(events: NetworkEvents, words: str) -> dict[str, Any]:
    """One that is there is deleted, and put back: what is seen of that."""
    before = listed(words)
    assert before is not None, words
    events.read()
    port = delete(before)
    gone = [c for fact in events.read()[0] for c in _changes(fact) if not c.is_there]
    (attempt,) = act.put_back((before,))
    came = [c for fact in events.read()[0] for c in _changes(fact) if c.is_there]
    (again,) = act.put_back((before,))
    return {
        "told_gone_by": [change.port for change in gone if change.entry == before] == [port],
        "failure": attempt.failure,
        "told_back": [change.entry for change in came if change.entry == before] == [before],
        "the_same": listed(words) == before,
        "again": again.failure,
    }


def _changes(fact: Fact) -> tuple[EntryChange, ...]:
    return _must_be_changes(fact).entries


def _must_be_changes(fact: Fact) -> NetworkChanged:
    assert isinstance(fact, NetworkChanged), fact
    return fact


def route(destination: str, bits: int, ifindex: int, protocol: int, metric: int) -> Entry:
    """As an agent asks for one."""
    head = struct.pack("=BBBBBBBBI", 2, bits, 0, 0, 254, protocol, 253, 1, 0)
    parts = ((1, socket.inet_aton(destination)), (4, struct.pack("=I", ifindex)))
    attributes = (*parts, (6, struct.pack("=I", metric)))
    body = head + b"".join(struct.pack("=HH", 8, kind) + value for kind, value in attributes)
    return Entry("route", body.hex(), 2, f"{destination}/{bits}", ifindex=ifindex)


def rule(priority: int, table: int, mark: int, protocol: int) -> Entry:
    head = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, table & 0xFF if table < 256 else 0, 0, 0, 1, 0)
    words = ((6, priority), (10, mark), (16, 0xF00), (15, table))
    body = head + b"".join(struct.pack("=HHI", 8, kind, value) for kind, value in words)
    body += struct.pack("=HHB3x", 5, 21, protocol)
    return Entry("rule", body.hex(), 2, f"{priority}")


def set_lo(kind: Any, value: str) -> str:
    entry = Entry(kind, f"{LO} {kind} {value}", 0, value, ifindex=LO, device="lo", value=value)
    return act.put_back((entry,))[0].failure


def main() -> None:
    link.set_up(LO, up=True)
    made = act.put_back(
        (route("10.8.0.0", 16, LO, 80, 7), rule(9, 2004, 0x200, 0), rule(10, 2005, 0xA00, 2))
    )
    events = NetworkEvents()
    seen: dict[str, Any] = {
        "made": [attempt.failure for attempt in made],
        "route": dataclasses.asdict(_must(listed("10.8.0.0/16"))),
        "rule": dataclasses.asdict(_must(listed("9: from all fwmark 0x200/0xf00 lookup 2004"))),
    }
    for words in (
        *("0: from all lookup local", "9: from all fwmark 0x200/0xf00 lookup 2004"),
        *("32766: from all lookup main", "10.8.0.0/16", "127.0.0.1/8"),
    ):
        seen[words] = there_and_back(events, words)
    seen["no device"] = dataclasses.asdict(act.put_back((route("10.7.0.0", 16, 99, 3, 0),))[0])
    events.read()
    settings = {"mtu": "1400", "sysctl": "2", "admin_down": "up"}
    seen["set"] = {kind: set_lo(kind, value) for kind, value in settings.items()}
    seen["lo"] = of_lo()
    told = [found for fact in events.read()[0] for found in _must_be_changes(fact).links]
    seen["told"] = [(found.mtu, found.rp_filter) for found in told][-1:]
    Path("/proc/sys/net/ipv4/conf/lo/rp_filter").write_text("1")
    written = [found for fact in events.read()[0] for found in _must_be_changes(fact).filters]
    seen["written"] = [(found.ifindex, found.rp_filter) for found in written]
    json.dump(seen, sys.stdout)


def _must(entry: Entry | None) -> Entry:
    assert entry is not None
    return entry


if __name__ == "__main__":
    main()
