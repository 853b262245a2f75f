"""The metrics of what the CNI keeps in the host's network; none where no CNI was ever at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from agent import cni_table
from agent.model.cni import ENTRY_KINDS, CniCounts
from agent.model.snapshot import Snapshot
from agent.report.family import Family, Samples


def _links(snapshot: Snapshot) -> Samples:
    globs = snapshot.policy.cni_guard.interfaces
    names = (link.name for link in snapshot.state.cni.links.values())
    owners = Counter(filter(None, (cni_table.whose_link(name, globs) for name in names)))
    for cni, count in sorted(owners.items()):
        yield (cni,), count


def _findings(snapshot: Snapshot) -> Samples:
    exposure = snapshot.state.cni.exposure
    for check in exposure.wrong:
        yield (check,), 1
    for check in exposure.fine:
        yield (check,), 0


def _exposed_rules(snapshot: Snapshot) -> Samples:
    if snapshot.state.cni.exposure.exposed_rules is not None:
        yield (), snapshot.state.cni.exposure.exposed_rules


def _exposed_routes(snapshot: Snapshot) -> Samples:
    if snapshot.state.cni.exposure.exposed_routes is not None:
        yield (), snapshot.state.cni.exposure.exposed_routes


def _managed(snapshot: Snapshot) -> Samples:
    for cni, count in snapshot.state.cni.exposure.managed.items():
        yield (cni,), count


def _interference(snapshot: Snapshot) -> Samples:
    for label, total in snapshot.state.cni.counts.interference_total.items():
        kind, _, culprit = label.partition(" ")
        yield (kind, culprit), total


def _kinds(totals: Callable[[CniCounts], Mapping[str, int]]) -> Callable[[Snapshot], Samples]:
    def samples(snapshot: Snapshot) -> Samples:
        # Known label sets start at 0, so that the first one is an increase to rate().
        if snapshot.state.cni.runtime.is_active or totals(snapshot.state.cni.counts):
            for kind in ENTRY_KINDS:
                yield (kind,), totals(snapshot.state.cni.counts).get(kind, 0)

    return samples


def _networkd_restarts(snapshot: Snapshot) -> Samples:
    yield (), snapshot.state.cni.counts.networkd_restarts_total


CNI_FAMILIES: tuple[Family, ...] = (
    Family(
        "cni_links",
        "gauge",
        "Links of the host that are a CNI's by their name (cni_guard.interfaces).",
        ("cni",),
        _links,
    ),
    Family(
        "cni_links_managed",
        "gauge",
        "Of them, those that systemd-networkd manages: none should be.",
        ("cni",),
        _managed,
    ),
    Family(
        "cni_findings",
        "gauge",
        "1 where a check of `nodemend cni audit` says no, 0 where it says yes; absent where it "
        "is not known.",
        ("check",),
        _findings,
    ),
    Family(
        "cni_exposed_rules",
        "gauge",
        "Ip rules of others that the next start of systemd-networkd deletes; absent where that "
        "is not known.",
        (),
        _exposed_rules,
    ),
    Family(
        "cni_exposed_routes",
        "gauge",
        "Routes of others that the next start of systemd-networkd deletes, or flushes with an "
        "address; absent where that is not known.",
        (),
        _exposed_routes,
    ),
    Family(
        "cni_interference_total",
        "counter",
        "Rules, routes and addresses of a CNI's that somebody else took away. culprit: a unit or a "
        'process; "unknown" where it had ended before it could be looked at, or it was the kernel; '
        'the first twenty, then "other".',
        ("kind", "culprit"),
        _interference,
    ),
    Family(
        "cni_restores_total",
        "counter",
        "Of them, those that were put back.",
        ("kind",),
        _kinds(lambda counts: counts.restores_total),
    ),
    Family(
        "cni_restore_failures_total",
        "counter",
        "Of them, those that the kernel refused to take back.",
        ("kind",),
        _kinds(lambda counts: counts.restore_failures_total),
    ),
    Family(
        "networkd_restarts_total",
        "counter",
        "Times systemd-networkd was started anew while nodemend watched.",
        (),
        _networkd_restarts,
    ),
)
