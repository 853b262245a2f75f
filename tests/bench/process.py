"""What /proc says of a process on the node."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.bench.node import BenchNode

_SCRIPT = r"""
import json, os, sys
pid = sys.argv[1]
fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
switches, cpu_ns = 0, 0
for task in os.listdir(f"/proc/{pid}/task"):
    cpu_ns += int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
    for line in open(f"/proc/{pid}/task/{task}/status"):
        if line.startswith("voluntary_ctxt_switches"):
            switches += int(line.split()[1])
memory = dict(
    line.split(":") for line in open(f"/proc/{pid}/smaps_rollup").read().splitlines()[1:]
)
written = dict(line.split(": ") for line in open(f"/proc/{pid}/io").read().splitlines())
print(json.dumps({
    "cpu_seconds": cpu_ns / 1e9,
    "wakeups": switches,
    "pss_kib": int(memory["Pss"].split()[0]),
    "threads": int(fields[17]),
    "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
    "written_bytes": int(written["write_bytes"]),
}))
"""


@dataclass(frozen=True)
class Usage:
    """Since the process began, by the threads that live; or at this moment."""

    cpu_seconds: float
    wakeups: int
    pss_kib: int
    threads: int
    descriptors: int
    written_bytes: int


def usage(node: BenchNode, pid: int) -> Usage:
    return Usage(**json.loads(node.run_script(_SCRIPT, pid, seconds=60)))
