"""The metrics, one table, and the text of /metrics from one snapshot.

docs/metrics.md is generated from the table (`make generated`). Families are made anew for
each scrape, so that what is gone leaves no series behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from agent.model.snapshot import Snapshot
from agent.report.family import SECOND_NS, Family, HistogramFamily, Samples
from agent.report.metrics_of_cni import CNI_FAMILIES
from agent.report.metrics_of_gpus import GPU_FAMILIES
from agent.report.metrics_of_nics import NIC_FAMILIES
from agent.report.metrics_of_remediation import REMEDIATION_FAMILIES

PREFIX = "nodemend_"


def _sources(field: str) -> Callable[[Snapshot], Samples]:
    def samples(snapshot: Snapshot) -> Samples:
        for name, source in snapshot.sources.items():
            yield (name,), getattr(source, field)

    return samples


def _monitor_up(snapshot: Snapshot) -> Samples:
    sources = (snapshot.sources.get(name) for name in ("rtnetlink", "readings", "kernel_log"))
    failed = any(source is None or source.condition == "failed" for source in sources)
    yield ("nic",), 0 if failed or snapshot.state.listing_answered == 0 else 1
    if snapshot.state.cni.runtime.is_active:
        network = snapshot.sources.get("network")
        yield ("cni",), float(network is not None and network.condition == "ok")
    if snapshot.gpu.condition not in ("absent", "released"):
        yield ("gpu",), float(snapshot.gpu.condition == "sampling")


def _monitor_success(snapshot: Snapshot) -> Samples:
    source = snapshot.sources.get("rtnetlink")
    if source is not None and source.last_success_wall_ns is not None:
        yield ("nic",), source.last_success_wall_ns / SECOND_NS
    network = snapshot.sources.get("network")
    if network is not None and network.last_success_wall_ns is not None:
        yield ("cni",), network.last_success_wall_ns / SECOND_NS
    if snapshot.gpu.sampled is not None:
        yield ("gpu",), snapshot.gpu.sampled.wall_ns / SECOND_NS


FAMILIES: tuple[Family | HistogramFamily, ...] = (
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
            ((mode,), float(snapshot.mode == mode)) for mode in ("observe", "remediate")
        ],
    ),
    Family(
        "config_last_reload_successful",
        "gauge",
        "1 where the configuration in force is the one on disk as it was last read, 0 where that "
        "was refused and an older one is in force.",
        ("file",),
        lambda snapshot: [
            ((file,), float(file not in snapshot.state.config_problems))
            for file in snapshot.state.config_read_wall_ns
        ],
    ),
    Family(
        "config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration in force was read.",
        ("file",),
        lambda snapshot: [
            ((file,), read_ns / SECOND_NS)
            for file, read_ns in snapshot.state.config_read_wall_ns.items()
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
        "nic: when all links were last compared with the kernel's list (every 30 s); cni: "
        "when its rules and routes were; gpu: when the "
        "latest sample was taken.",
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
    *REMEDIATION_FAMILIES,
    *GPU_FAMILIES,
    *CNI_FAMILIES,
)


class _SnapshotCollector(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        for family in FAMILIES:
            if isinstance(family, HistogramFamily):
                yield _histogram(family, self._snapshot)
                continue
            make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = make(PREFIX + family.name, family.help, labels=family.labels)
            for labels, value in family.samples(self._snapshot):
                metric.add_metric(labels, value)
            yield metric


def _histogram(family: HistogramFamily, snapshot: Snapshot) -> Metric:
    metric = HistogramMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
    for labels, found in family.samples(snapshot):
        bounds = (*map(floatToGoString, found.upper_bounds), "+Inf")
        buckets = list(zip(bounds, accumulate(found.counts), strict=True))
        metric.add_metric(labels, buckets, sum_value=found.sum)
    return metric


TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# The library's own choice between them would take any version from the client, and fail on some.
_ENCODERS: Mapping[str, Callable[[Collector], bytes]] = {
    TEXT: generate_latest,
    OPENMETRICS: openmetrics.generate_latest,
}


def exposition(snapshot: Snapshot, content_type: str = TEXT) -> bytes:
    """The body of /metrics: TEXT, Prometheus' format 0.0.4, or OPENMETRICS."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SnapshotCollector(snapshot))
    return _ENCODERS[content_type](registry)


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
