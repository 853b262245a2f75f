"""The page that the figures stand on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

_HEAD = """\
# What it costs

Written by `make bench`: one run, in a container ({machine}), beside Debian's
prometheus-node-exporter in the same run. The ratios are what counts: another machine has other
figures.

The container's kernel, rtnetlink, systemd and journald are real. Its uplink is a veth with a
gateway behind it, whose place in sysfs is played, so that it passes for an RTL8156: the daemon does
all that it does for one, and asks the gateway for an answer every 2 s, as by default.

{events} carrier changes, twice; {seconds} s of idling, and as many with a flap every two seconds.
The kernel holds back a lost carrier for up to a second (`net/core/link_watch.c`), which nobody can
hear sooner; here another change of the link makes it tell at once. "Kernel event" is the moment at
which another process hears of it from rtnetlink; "journal" is journald's stamp, with nobody asking
for anything; "counter" is when /metrics, asked on and on over one connection, shows it (its own
time for one question is the resolution, and is work that the daemon does beside). In the siege each
scrape has a connection of its own.

| | nodemend | node_exporter |
|---|---|---|
"""

_GPU_HEAD = """
## GPU memory, beside nvitop-exporter

Both ask the same library once a second, the tests' double of NVML with a Tesla T4
(`tests/nvml_double`), and tell of every process (`gpu: {top_processes: 200}`). Of the daemon, what
the GPU adds to its own idling counts, and all of its memory. nvitop asks for more (load, clocks,
temperature), in vain here; with a driver that answers, it has more to do.

| | nodemend | nvitop-exporter |
|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    theirs: str = ""


def as_markdown(rows: list[Row], gpu_rows: list[Row], events: int, seconds: int) -> str:
    """The whole of docs/bench.md."""
    machine = f"{os.cpu_count()} processors, Linux {platform.release().partition('-')[0]}"
    head = _HEAD.format(machine=machine, events=events, seconds=seconds)
    return head + _table(rows) + _GPU_HEAD + _table(gpu_rows)


def _table(rows: list[Row]) -> str:
    return "".join(f"| {row.what} | {row.ours} | {row.theirs} |\n" for row in rows)
