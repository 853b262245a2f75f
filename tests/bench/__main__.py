"""`python -m tests.bench [PHASE ...]`: measures in one container, writes docs/bench.md."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping

from tests.bench import footprint, gpu, latency, scrape, siege, writes
from tests.bench.node import BenchNode, bench_node
from tests.bench.table import Row, as_markdown
from tests.lab import images

PAGE = images.CHECKOUT / "docs/bench.md"
PHASES: Mapping[str, Callable[[BenchNode, argparse.Namespace], list[Row]]] = {
    "latency": latency.measure,
    "idle": footprint.measure,
    "scrape": scrape.measure,
    "writes": writes.measure,
    "siege": siege.measure,
    "gpu": gpu.measure,
}


def main(arguments: list[str]) -> int:
    """Run the phases; the page is written only where all of them ran."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("phases", nargs="*", metavar="PHASE", help=", ".join(PHASES))
    parser.add_argument("--events", type=int, default=10_000, help="carrier changes")
    parser.add_argument("--seconds", type=int, default=120, help="of idling, and of flapping")
    parser.add_argument("--scrapes", type=int, default=100)
    options = parser.parse_args(arguments)
    unknown = set(options.phases) - PHASES.keys()
    if unknown:
        parser.error(f"no phase {', '.join(unknown)}; known: {', '.join(PHASES)}")
    if os.geteuid() != 0:
        parser.error("it boots a container: run it as root")
    wanted = options.phases or list(PHASES)
    found: dict[str, list[Row]] = {}
    with bench_node() as node:
        for name in wanted:
            print(f"bench: {name}", flush=True)
            found[name] = PHASES[name](node, options)
            for row in found[name]:
                print(f"  {row.what}: {row.ours} | {row.theirs}", flush=True)
    if found.keys() == PHASES.keys():
        gpu_rows = found.pop("gpu")
        rows = [row for each in found.values() for row in each]
        page = as_markdown(rows, gpu_rows, options.events, options.seconds)
        PAGE.write_text(page, encoding="utf-8")
        print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
