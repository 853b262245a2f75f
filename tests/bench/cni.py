"""`make bench-cni`: the CNI guard in a network namespace, on this machine's kernel.

How soon a rule is back that a known interferer deletes; and a thousand pods that come and go at
full speed while their CNI makes and deletes routes, with events lost on purpose: nothing may be
taken for interference, nothing may come back that the owner removed, and what follows must be seen.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent.model.cni import Entry
from agent.model.facts_of_cni import NetworkChanged
from agent.observe.network import NetworkEvents, list_network
from tests.bench.cni_world import ROOT, World
from tests.unit.observe.namespace import route

PAGE = ROOT / "docs/cni-guard-bench.md"
IN_OUR_OWN = "NODEMEND_BENCH_NAMESPACE"
DROPPED = 'nodemend_source_dropped_total{source="network"}'
BACK_WITHIN_SECONDS = 5.0
AT_ONCE = 50  # pods
UNREAD = 20_000  # times two: of a message, the kernel counts some hundred bytes of its own as well
_HEAD = """\
# The CNI guard, measured

Written by `make bench-cni`, in a network namespace of {machine}: real netlink, the daemon as it
is, a process called dhclient that deletes, one called cilium-agent that owns.

| what | measured |
|---|---|
"""


def latency(world: World, count: int) -> list[tuple[str, str]]:
    """From the deletion until the kernel tells that it is there again."""
    events, took = NetworkEvents(), []
    for _ in range(count):
        events.read()
        sent_ns = world.interferer.deletes(world.rule)
        deadline = time.monotonic() + BACK_WITHIN_SECONDS
        while not _is_back(events, world.rule):
            assert time.monotonic() < deadline, "it did not come back"
            time.sleep(0.0002)
        took.append((time.monotonic_ns() - sent_ns) / 1e6)
        time.sleep(0.02)  # 64 within a second would be a fight
    took.sort()
    middle, late = statistics.median(took), took[int(len(took) * 0.99)]
    words = f"{middle:.1f} ms in the middle, {late:.1f} ms for 99 of 100, {took[-1]:.1f} ms at most"
    return [(f"a rule that was deleted {count} times is back after", words)]


def _is_back(events: NetworkEvents, entry: Entry) -> bool:
    return any(
        change.is_there and change.entry == entry
        for fact in events.read()[0]
        if isinstance(fact, NetworkChanged)
        for change in fact.entries
    )


def churn(world: World, pods: int) -> list[tuple[str, str]]:
    """Pods come and go, their CNI makes and deletes what is theirs; some of it is not heard."""
    told_before, back_before = (
        world.total(f"nodemend_cni_{name}_total") for name in ("interference", "restores")
    )
    before_kib, began = world.memory_kib(), time.monotonic()
    subprocess.run(["ip", "netns", "add", "pod"], check=True)
    for first in range(0, pods, AT_ONCE):
        if first >= pods // 2 > first - AT_ONCE:
            _overflow(world)
        numbers = range(first, min(first + AT_ONCE, pods))
        _ip(*(f"link add lxc{n} type veth peer name tmp{n}" for n in numbers))
        _ip(*(f"link set tmp{n} netns pod" for n in numbers))
        _ip(*(f"link set tmp{n} name eth{n}" for n in numbers), namespace="pod")
        for number in numbers:
            theirs = route(f"10.42.{number // 250}.{number % 250}", 32, 1, 2, 0)
            world.owner.adds(theirs)
            if number % 2:
                world.owner.deletes(theirs)
        _ip(*(f"link set lxc{n} up" for n in numbers), *(f"link del lxc{n}" for n in numbers))
    seconds = time.monotonic() - began
    world.wait_for(DROPPED, 1)
    time.sleep(3)  # longer than anybody's turn
    told = world.total("nodemend_cni_interference_total") - told_before
    back = world.total("nodemend_cni_restores_total") - back_before
    kept = sum(entry.destination.startswith("10.42.") for entry in list_network(5)[0])
    assert (0, 0, pods // 2) == (told, back, kept), (told, back, kept)
    dropped = world.metric(DROPPED)
    world.interferer.deletes(world.rule)
    world.wait_for('nodemend_cni_restores_total{kind="rule"}', back_before + 1)
    return [
        (f"{pods} pods made, moved, renamed inside and deleted at full speed", f"{seconds:.1f} s"),
        ("taken for interference, put back", f"{told:.0f}, {back:.0f}"),
        ("times that events were lost (ENOBUFS)", f"{dropped:.0f}"),
        ("memory before and after", f"{before_kib} and {world.memory_kib()} KiB"),
    ]


def _overflow(world: World) -> None:
    """More than its buffer holds, while it does not read."""
    world.daemon.send_signal(signal.SIGSTOP)
    passing = route("10.41.0.0", 16, 1, 2, 0)
    for _ in range(UNREAD):
        world.owner.adds(passing)
        world.owner.deletes(passing)
    world.daemon.send_signal(signal.SIGCONT)


def _ip(*lines: str, namespace: str = "") -> None:
    """One process for all of them, or it would be what is measured."""
    where = ["-n", namespace] if namespace else []
    command = ["ip", *where, "-batch", "-"]
    subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=True)


def main(arguments: list[str]) -> int:
    """Measure in a namespace of our own, and write the page where nothing was left out."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cni")
    parser.add_argument("--deletions", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=1000)
    options = parser.parse_args(arguments)
    if os.geteuid() != 0:
        parser.error("it makes a network namespace: run it as root")
    if IN_OUR_OWN not in os.environ:
        os.environ[IN_OUR_OWN] = "1"
        own = [sys.executable, "-m", "tests.bench.cni", *arguments]
        os.execvp("unshare", ["unshare", "--net", "--mount", *own])
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        try:
            rows = [*latency(world, options.deletions), *churn(world, options.pods)]
        finally:
            world.end()
    for what, measured in rows:
        print(f"{what}: {measured}", flush=True)
    if not arguments:
        machine = f"{os.cpu_count()} processors, Linux {os.uname().release.partition('-')[0]}"
        table = "\n".join(f"| {what} | {measured} |" for what, measured in rows)
        PAGE.write_text(f"{_HEAD.format(machine=machine)}{table}\n", encoding="utf-8")
        print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
