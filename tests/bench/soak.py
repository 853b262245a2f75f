"""Eight hours of a bad node in minutes: `make soak`. Memory, descriptors and threads must be flat.

The daemon as it is, in a process of its own: its loop, decisions, recorder, store, HTTP and
control socket. Only the kernel's end is played, since no kernel flaps this fast: link messages
come from here, and /sys and /proc/net from a tree of files. A million facts: flaps, replugs, lost
messages, garbage; with scrapes, status calls and reloads going on beside.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from agent import intake as intake_module
from agent.cli import main as nodemend
from agent.model.identity import Link
from agent.netlink_messages import RTM_DELLINK, RTM_NEWLINK, ifinfmsg
from agent.observe import inquiry, rtnetlink
from agent.report import control
from tests.builders import LINK
from tests.unit.doctor.node import USB, Node, sound_node

# By then the recording has been full many times over and the allocator has found its size: what
# grows after it would grow for ever.
WARM_UP_FACTS = 300_000
BURST = 50
REPLUG_EVERY, LOSE_EVERY, GARBAGE_EVERY = 5_000, 20_000, 30_000
GROWTH_KIB_MAX = 2048
DESCRIPTORS_PASSING_MAX = 4  # a scrape, a status call and a segment of the recording that end
LOOK_SECONDS = 2.0
_UP_SENTINEL, _DOWN_SENTINEL, _INDEX_SENTINEL = 0x51525354, 0x61626364, 0x41424344


class Kernel:
    """Takes the place of the event socket, and of the listing."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._told = 0
        self._in_burst = 0
        self._ready = os.eventfd(1)
        self.link = LINK
        new, gone = _template(RTM_NEWLINK), _template(RTM_DELLINK)
        self._new, self._gone = bytearray(new), bytearray(gone)
        self._up, self._down, self._index = (
            new.index(struct.pack("=I", sentinel))
            for sentinel in (_UP_SENTINEL, _DOWN_SENTINEL, _INDEX_SENTINEL)
        )

    def fileno(self) -> int:
        return self._ready

    def close(self) -> None:
        """Opened anew, it is the same."""

    def recvmsg(self, _size: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        if self._in_burst >= BURST:
            self._in_burst = 0
            raise BlockingIOError
        self._in_burst += 1
        self._told += 1
        if self._told % LOSE_EVERY == 0:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        if self._told % GARBAGE_EVERY == 0:
            return b"\x20\x00\x00\x00garbage", [], 0, (0, 0)
        if self._told % REPLUG_EVERY == 0:
            return self._replug(), [], 0, (0, 0)
        ups, downs = self.link.carrier_up_count, self.link.carrier_down_count
        if self.link.carrier:
            self.link = replace(self.link, carrier=False, carrier_down_count=downs + 1)
        else:
            self.link = replace(self.link, carrier=True, carrier_up_count=ups + 1)
        return self._message(self._new), [], 0, (0, 0)

    def _replug(self) -> bytes:
        gone = self._message(self._gone)
        self.link = replace(LINK, ifindex=self.link.ifindex + 1)
        self._node.write(f"sys/class/net/{LINK.device}/ifindex", f"{self.link.ifindex}\n")
        return gone

    def _message(self, template: bytearray) -> bytes:
        struct.pack_into("=I", template, self._index, self.link.ifindex)
        struct.pack_into("=I", template, self._up, self.link.carrier_up_count)
        struct.pack_into("=I", template, self._down, self.link.carrier_down_count)
        return bytes(template)


def _template(kind: int) -> bytes:
    message = ifinfmsg()
    message["family"], message["ifi_type"], message["index"] = 0, 1, _INDEX_SENTINEL
    message["flags"] = 1
    message["header"]["type"] = kind
    message["attrs"] = [
        ("IFLA_IFNAME", LINK.device),
        ("IFLA_ADDRESS", LINK.mac),
        ("IFLA_PERM_ADDRESS", LINK.mac),
        ("IFLA_CARRIER", 1),
        ("IFLA_CARRIER_UP_COUNT", _UP_SENTINEL),
        ("IFLA_CARRIER_DOWN_COUNT", _DOWN_SENTINEL),
    ]
    message.encode()
    return bytes(message.data)


def be_the_daemon(directory: Path, config: Path) -> int:
    """The process that is measured."""
    node = sound_node(directory / "root")
    assert (node.root / USB).is_dir()
    kernel = Kernel(node)

    def list_links(timeout_seconds: float) -> tuple[Link, ...]:
        return (kernel.link,)

    rtnetlink._open_event_socket = lambda: kernel  # type: ignore[assignment,return-value]
    rtnetlink.list_links = list_links
    intake_module.Inquiry = partial(  # type: ignore[attr-defined,assignment]
        inquiry.Inquiry, root=node.root
    )
    return nodemend(["run", "--config", str(config)])


@dataclass(frozen=True)
class Look:
    """The process at one moment."""

    facts: int
    pss_kib: int
    descriptors: int
    threads: int


class Soak:
    """The process from outside."""

    def __init__(self, directory: Path) -> None:
        self._runtime = directory / "run"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        config = directory / "config.yaml"
        config.write_text(
            f"listen: 127.0.0.1:{self._port}\n"
            "usb_nic: {match: [{driver: r8152, name: uplink}]}\n"
        )
        environment = {
            **os.environ,
            "STATE_DIRECTORY": str(directory / "state"),
            "RUNTIME_DIRECTORY": str(self._runtime),
        }
        words = ["--daemon", str(directory), str(config)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.soak", *words],
            env=environment,
            stderr=subprocess.DEVNULL,
        )

    def look(self) -> Look:
        """Scrape, ask for the status, and measure."""
        facts = 0.0
        for line in self._get("/metrics").splitlines():
            if line.startswith("nodemend_source_facts_total"):
                facts += float(line.split()[-1])
        json.dumps(control.ask(self._runtime / "control.sock", "status"))
        process = Path(f"/proc/{self._process.pid}")
        memory = (process / "smaps_rollup").read_text()
        pss = next(line for line in memory.splitlines() if line.startswith("Pss:"))
        return Look(
            facts=int(facts),
            pss_kib=int(pss.split()[1]),
            descriptors=sum(1 for _ in (process / "fd").iterdir()),
            threads=sum(1 for _ in (process / "task").iterdir()),
        )

    def reload(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    def end(self) -> int:
        self._process.terminate()
        return self._process.wait(30)

    def _get(self, path: str) -> str:
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        with contextlib.closing(client):
            client.request("GET", path)
            return client.getresponse().read().decode()


def looks(soak: Soak, facts: int) -> Iterator[Look]:
    """Every moment, until so many facts."""
    number = 0
    while True:
        time.sleep(LOOK_SECONDS)
        with contextlib.suppress(OSError, control.NoDaemon):
            look = soak.look()
            yield look
            if look.facts >= facts:
                return
            number += 1
            if number % 10 == 0:
                soak.reload()


def main(arguments: list[str]) -> int:
    """Whether it stayed flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak")
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--daemon", nargs=2, type=Path, metavar=("DIRECTORY", "CONFIG"))
    options = parser.parse_args(arguments)
    if options.daemon:
        return be_the_daemon(*options.daemon)
    with tempfile.TemporaryDirectory(prefix="nodemend-soak-") as directory:
        soak = Soak(Path(directory))
        began = time.monotonic()
        try:
            warm: Look | None = None
            latest: Look | None = None
            for latest in looks(soak, options.facts):
                print(latest, flush=True)
                if warm is None and latest.facts >= min(WARM_UP_FACTS, options.facts // 2):
                    warm = latest
        finally:
            status = soak.end()
    assert warm is not None
    assert latest is not None
    seconds = time.monotonic() - began
    flat = (
        latest.pss_kib - warm.pss_kib <= GROWTH_KIB_MAX
        and latest.descriptors <= warm.descriptors + DESCRIPTORS_PASSING_MAX
        and latest.threads <= warm.threads + 1
        and status == 0
    )
    print(f"{latest.facts} facts in {seconds:.0f} s, exit {status}")
    print(f"after {warm.facts}: {warm}\nat the end: {latest}\n{'flat' if flat else 'NOT FLAT'}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
