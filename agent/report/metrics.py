"""The metrics, one table, and the text of /metrics from one snapshot.

docs/metrics.md is generated from the table (`make generated`). Families are made anew for
each scrape, so that what is gone leaves no series behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.model.snapshot import Snapshot
from agent.report.family import SECOND_NS, Family, Samples
from agent.report.metrics_of_nics import NIC_FAMILIES

PREFIX = "nodemend_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _sources(field: str) -> Callable[[Snapshot], Samples]:
    def samples(snapshot: Snapshot) -> Samples:
        for name, source in snapshot.sources.items():
            yield (name,), getattr(source, field)

    return samples


def _monitor_up(snapshot: Snapshot) -> Samples:
    sources = (snapshot.sources.get(name) for name in ("rtnetlink", "readings", "kernel_log"))
    failed = any(source is None or source.condition == "failed" for source in sources)
    yield ("nic",), 0 if failed or snapshot.state.listing_answered == 0 else 1


def _monitor_success(snapshot: Snapshot) -> Samples:
    source = snapshot.sources.get("rtnetlink")
    if source is not None and source.last_success_wall_ns is not None:
        yield ("nic",), source.last_success_wall_ns / SECOND_NS


FAMILIES: tuple[Family, ...] = (
    Family(
        "build_info",
        "gauge",
        "Always 1; the version is in the label.",
        ("version",),
        lambda snapshot: [((snapshot.version,), 1)],
    ),
    Family(
        "mode",
        "gauge",
        "1 for the mode in force: observe changes nothing, remediate may repair.",
        ("mode",),
        lambda snapshot: [
            ((mode,), float(snapshot.policy.mode == mode)) for mode in ("observe", "remediate")
        ],
    ),
    Family(
        "monitor_up",
        "gauge",
        "1 while the monitor has a full view: every source works and the first look is done.",
        ("monitor",),
        _monitor_up,
    ),
    Family(
        "monitor_last_success_timestamp_seconds",
        "gauge",
        "When the monitor last compared all links with the kernel's list (every 30 s).",
        ("monitor",),
        _monitor_success,
    ),
    Family(
        "source_facts_total",
        "counter",
        "Facts taken in from a source.",
        ("source",),
        _sources("facts_total"),
    ),
    Family(
        "source_dropped_total",
        "counter",
        "Times a source lost messages, or a queue to it was full.",
        ("source",),
        _sources("dropped_total"),
    ),
    Family(
        "source_resyncs_total",
        "counter",
        "Times a source was read anew after it had lost messages.",
        ("source",),
        _sources("resyncs_total"),
    ),
    *NIC_FAMILIES,
)


class _SnapshotCollector(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        for family in FAMILIES:
            make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = make(PREFIX + family.name, family.help, labels=family.labels)
            for labels, value in family.samples(self._snapshot):
                metric.add_metric(labels, value)
            yield metric


def exposition(snapshot: Snapshot) -> bytes:
    """The body of /metrics in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SnapshotCollector(snapshot))
    return generate_latest(registry)


def metrics_page() -> str:
    """The whole of docs/metrics.md."""
    rows = [
        "# Metrics",
        "",
        "Generated from `agent/report/metrics.py` by `make generated`.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for family in FAMILIES:
        labels = ", ".join(family.labels) or "none"
        rows.append(f"| `{PREFIX}{family.name}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(rows) + "\n"
