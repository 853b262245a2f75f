"""The metrics, one table, and the text of /metrics from one snapshot.

docs/metrics.md is generated from the table (`make generated`). Families are made anew for
each scrape, so that what is gone leaves no series behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.model.snapshot import Snapshot
from agent.model.state import Nic

PREFIX = "nodemend_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BITS_PER_BYTE = 8
_SECOND_NS = 1_000_000_000

Samples: TypeAlias = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Family:
    """One metric: its name without prefix, what it means, its labels, and where it comes from."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Snapshot], Samples]


def _nics(value: Callable[[Nic], float | None]) -> Callable[[Snapshot], Samples]:
    """A sample per watched NIC, none where the value is unknown."""

    def samples(snapshot: Snapshot) -> Samples:
        for nic in snapshot.state.nics.values():
            found = value(nic)
            if found is not None:
                yield (nic.nic,), found

    return samples


def _steps(totals: Callable[[Nic], Mapping[str, int]]) -> Callable[[Snapshot], Samples]:
    def samples(snapshot: Snapshot) -> Samples:
        for nic in snapshot.state.nics.values():
            # Known label sets start at 0, so that the first step is an increase to rate().
            for step, total in {"tune": 0, **totals(nic)}.items():
                yield (nic.nic, step), total

    return samples


def _sources(field: str) -> Callable[[Snapshot], Samples]:
    def samples(snapshot: Snapshot) -> Samples:
        for name, source in snapshot.sources.items():
            yield (name,), getattr(source, field)

    return samples


def _nic_info(snapshot: Snapshot) -> Samples:
    for nic in snapshot.state.nics.values():
        adapter, link = nic.adapter, nic.link
        if link is not None:
            labels = (nic.nic, link.device, adapter.driver, adapter.vendor_id, adapter.product_id)
            yield (*labels, link.mac), 1


def _monitor_up(snapshot: Snapshot) -> Samples:
    sources = (snapshot.sources.get(name) for name in ("rtnetlink", "readings"))
    failed = any(source is None or source.condition == "failed" for source in sources)
    yield ("nic",), 0 if failed or snapshot.state.listing_answered == 0 else 1


def _monitor_success(snapshot: Snapshot) -> Samples:
    source = snapshot.sources.get("rtnetlink")
    if source is not None and source.last_success_wall_ns is not None:
        yield ("nic",), source.last_success_wall_ns / _SECOND_NS


def _usb_speed_bytes(nic: Nic) -> float | None:
    return None if nic.link is None else nic.adapter.usb_speed_bits / _BITS_PER_BYTE


def _carrier(nic: Nic) -> float | None:
    return None if nic.link is None else float(nic.link.admin_up and nic.link.carrier)


def _last_change_seconds(nic: Nic) -> float | None:
    changed_ns = nic.last_carrier_change_wall_ns
    return None if changed_ns is None else changed_ns / _SECOND_NS


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
    Family(
        "nic_info",
        "gauge",
        "Always 1 while the NIC is present; what it is, in labels.",
        ("nic", "device", "driver", "vendor_id", "product_id", "mac"),
        _nic_info,
    ),
    Family(
        "nic_present",
        "gauge",
        "1 while the NIC has a network interface, 0 while it is gone.",
        ("nic",),
        _nics(lambda nic: float(nic.link is not None)),
    ),
    Family(
        "nic_carrier",
        "gauge",
        "1 while the link is up and has a carrier; absent while the NIC is gone.",
        ("nic",),
        _nics(_carrier),
    ),
    Family(
        "nic_usb_speed_bytes",
        "gauge",
        "Speed of the USB connection in bytes per second; absent while the NIC is gone.",
        ("nic",),
        _nics(_usb_speed_bytes),
    ),
    Family(
        "nic_carrier_losses_total",
        "counter",
        "Carrier losses, from the kernel's own count; administrative downs are none.",
        ("nic",),
        _nics(lambda nic: nic.carrier_losses_total),
    ),
    Family(
        "nic_flaps_total",
        "counter",
        "Carrier losses that were followed by a return.",
        ("nic",),
        _nics(lambda nic: nic.flaps_total),
    ),
    Family(
        "nic_disconnects_total",
        "counter",
        "Times the NIC's network interface went.",
        ("nic",),
        _nics(lambda nic: nic.disconnects_total),
    ),
    Family(
        "nic_unobserved_gaps_total",
        "counter",
        "Times the NIC's network interface went while nobody watched.",
        ("nic",),
        _nics(lambda nic: nic.unobserved_gaps_total),
    ),
    Family(
        "nic_last_carrier_change_timestamp_seconds",
        "gauge",
        "When the carrier last changed; absent if it never did while watched.",
        ("nic",),
        _nics(_last_change_seconds),
    ),
    Family(
        "remediation_attempts_total",
        "counter",
        "Steps taken.",
        ("nic", "step"),
        _steps(lambda nic: nic.attempts_total),
    ),
    Family(
        "remediation_failures_total",
        "counter",
        "Steps that failed, were refused, timed out or showed no effect.",
        ("nic", "step"),
        _steps(lambda nic: nic.failures_total),
    ),
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
