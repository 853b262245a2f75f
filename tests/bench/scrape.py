"""One scrape, as Prometheus asks, on a node with a thousand veth links."""

from __future__ import annotations

import argparse
import json

from tests.bench.node import BenchNode
from tests.bench.table import Row

PAIRS = 500
_ACCEPTS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"
_SCRIPT = r"""
import http.client, json, os, sys, time
pid, port, scrapes, accepts = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

def cpu():
    # Thread by thread: what one saves meanwhile is no discount on what another spends.
    tasks = os.listdir(f"/proc/{pid}/task")
    return {t: int(open(f"/proc/{pid}/task/{t}/schedstat").read().split()[0]) for t in tasks}

def spent(before, after):
    return {task: (ns - before.get(task, 0)) / 1e6 for task, ns in after.items()}

client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
headers = {"Accept": accepts, "Accept-Encoding": "gzip"}
took, before, began = [], cpu(), time.time()
for _ in range(scrapes):
    start = time.time()
    client.request("GET", "/metrics", headers=headers)
    body = client.getresponse().read()
    took.append(time.time() - start)
    time.sleep(0.7)   # each of them a rendering of its own
lasted = time.time() - began
scraping = spent(before, cpu())
idle, start = cpu(), time.time()
time.sleep(min(60, lasted))
idling = spent(idle, cpu())
share = lasted / (time.time() - start)
more = [max(0.0, ms - idling.get(task, 0.0) * share) for task, ms in scraping.items()]
print(json.dumps({
    "cpu_ms": sum(more) / scrapes,
    "wall_ms": sorted(took)[len(took) // 2] * 1e3,
    "bytes": len(body),
}))
"""


def measure(node: BenchNode, options: argparse.Namespace) -> list[Row]:
    """CPU (without what it costs anyhow), time and size of one scrape."""
    batch = "\n".join(
        f"link add veth{n}a up type veth peer name veth{n}b\nlink set veth{n}b up"
        for n in range(PAIRS)
    )
    node.container.write("/run/veths", batch + "\n")
    node.container.run("ip -batch /run/veths", timeout_seconds=600)
    node.list_in_sysfs()
    try:
        targets = (("nodemend", 19100), ("exporter", 9100))
        ours, theirs = (cost(node, unit, port, options.scrapes) for unit, port in targets)
    finally:
        names = "".join(f"link del veth{n}a\n" for n in range(PAIRS))
        node.container.write("/run/veths", names)
        node.container.run("ip -batch /run/veths", timeout_seconds=600)
    with_links = f"scrape with {2 * PAIRS} veth links"
    return [Row(f"{with_links}: {what}", ours[what], theirs[what]) for what in ours]


def cost(node: BenchNode, unit: str, port: int, scrapes: int) -> dict[str, str]:
    """Of one scrape of a service's port: CPU beyond what it idles at, median time, size."""
    arguments = (node.pid(unit), port, scrapes, f"'{_ACCEPTS}'")
    found = json.loads(node.run_script(_SCRIPT, *arguments, seconds=900))
    return {
        "CPU": f"{found['cpu_ms']:.1f} ms",
        "time, median": f"{found['wall_ms']:.1f} ms",
        "bytes (gzip)": str(found["bytes"]),
    }
