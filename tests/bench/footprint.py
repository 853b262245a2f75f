"""Idle: processor, wake-ups, memory."""

from __future__ import annotations

import argparse
import time

from tests.bench.node import BenchNode
from tests.bench.process import Usage, usage
from tests.bench.table import Row

_UNITS = ("nodemend", "exporter")


def measure(node: BenchNode, options: argparse.Namespace) -> list[Row]:
    """Both, over the same seconds, with nobody asking anything."""
    pids = [node.pid(unit) for unit in _UNITS]
    before = [usage(node, pid) for pid in pids]
    began = time.monotonic()
    time.sleep(options.seconds)  # idling is what is measured
    after = [usage(node, pid) for pid in pids]
    seconds = time.monotonic() - began
    ours, theirs = (_figures(b, a, seconds) for b, a in zip(before, after))
    return [Row(f"idle: {what}", ours[what], theirs[what]) for what in ours]


def _figures(before: Usage, after: Usage, seconds: float) -> dict[str, str]:
    cpu = (after.cpu_seconds - before.cpu_seconds) / seconds
    return {
        "CPU seconds an hour (share of a core)": f"{cpu * 3600:.1f} s ({cpu:.2%})",
        "wake-ups a second": f"{(after.wakeups - before.wakeups) / seconds:.1f}",
        "PSS": f"{after.pss_kib / 1024:.1f} MiB",
        "threads": str(after.threads),
        "descriptors": str(after.descriptors),
    }
