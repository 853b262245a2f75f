"""What is written to the disk: idle, and while the NIC flaps on and on."""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.node import FAR, GATEWAY, BenchNode
from tests.bench.process import usage
from tests.bench.table import Row

_FLAP_SECONDS = 2
_MIB = 1024 * 1024
_SYNCS = "fsync,fdatasync,sync,syncfs,sync_file_range,msync"


def measure(node: BenchNode, options: argparse.Namespace) -> list[Row]:
    """fsyncs as strace sees them, bytes by /proc; journald's writes are not among them."""
    idle = _while(node, lambda: time.sleep(options.seconds))

    def flap() -> None:
        one = (
            f"ip -n {GATEWAY} link set {FAR} down; sleep 1; "
            f"ip -n {GATEWAY} link set {FAR} up; sleep {_FLAP_SECONDS - 1}"
        )
        times = options.seconds // _FLAP_SECONDS
        node.container.run(
            f"for number in $(seq {times}); do {one}; done", timeout_seconds=2 * options.seconds
        )

    flapping = _while(node, flap)
    return [
        *(Row(f"writes, idle: {what}", value) for what, value in idle.items()),
        *(
            Row(f"writes, a flap every {_FLAP_SECONDS} s: {what}", value)
            for what, value in flapping.items()
        ),
        Row(
            "writes, flapping for hours: at most (agent/keeper.py, tests/unit/test_keeper.py)",
            "120 fsyncs an hour",
        ),
    ]


def _while(node: BenchNode, happens: Callable[[], None]) -> dict[str, str]:
    pid = node.pid("nodemend")
    with tempfile.TemporaryDirectory(prefix="nodemend-bench-") as directory:
        trace = Path(directory) / "trace"
        before, began = usage(node, pid), time.monotonic()
        with _traced(node.pid_outside(pid), trace):
            happens()
        after, seconds = usage(node, pid), time.monotonic() - began
        fsyncs = sum(1 for line in trace.read_text().splitlines() if "sync(" in line)
    per_day = (after.written_bytes - before.written_bytes) / seconds * 86400 / _MIB
    return {
        f"fsyncs in {seconds:.0f} s (an hour)": f"{fsyncs} ({fsyncs / seconds * 3600:.0f})",
        "MiB a day": f"{per_day:.1f}",
    }


@contextlib.contextmanager
def _traced(pid: int, trace: Path) -> Iterator[None]:
    words = ["strace", "-f", "-qq", "-e", f"trace={_SYNCS}", "-o", str(trace), "-p", str(pid)]
    with subprocess.Popen(words) as strace:
        try:
            yield
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait(30)
