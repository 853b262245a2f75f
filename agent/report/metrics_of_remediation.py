"""The metrics of what is done about NICs: steps, their outcome, incidents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.model.identity import Stamp
from agent.model.incident import INCIDENT_VERDICTS, Incident
from agent.model.policy import STEP_NAMES
from agent.model.snapshot import Snapshot
from agent.model.state import RECOVERY_SECONDS, Nic
from agent.report.family import (
    SECOND_NS,
    Family,
    Histogram,
    HistogramFamily,
    Histograms,
    Samples,
)
from agent.report.metrics_of_nics import of_nics


def _steps(totals: Callable[[Nic], Mapping[str, int]]) -> Callable[[Snapshot], Samples]:
    def samples(snapshot: Snapshot) -> Samples:
        for nic in snapshot.state.nics.values():
            # Known label sets start at 0, so that the first step is an increase to rate().
            taken = totals(nic)
            for step in STEP_NAMES:
                yield (nic.nic, step), taken.get(step, 0)

    return samples


def _blocked(snapshot: Snapshot) -> Samples:
    for nic in snapshot.state.nics.values():
        for reason, total in {"budget": 0, **nic.blocked_total}.items():
            yield (nic.nic, reason), total


def _recoveries(snapshot: Snapshot) -> Histograms:
    for nic in snapshot.state.nics.values():
        found = nic.recoveries
        yield (nic.nic,), Histogram(RECOVERY_SECONDS, found.counts, found.total_ns / SECOND_NS)


def _incidents_total(snapshot: Snapshot) -> Samples:
    for nic in snapshot.state.nics.values():
        for verdict in INCIDENT_VERDICTS:
            yield (nic.nic, verdict), nic.incidents_total.get(verdict, 0)


def _incidents(moment: Callable[[Incident], Stamp | None]) -> Callable[[Snapshot], Samples]:
    """The latest of each verdict; one that may yet pass unnoticed is none."""

    def samples(snapshot: Snapshot) -> Samples:
        for nic in snapshot.state.nics.values():
            kept = [incident for incident in nic.incidents if incident.kept]
            # Before it is closed, its verdict may change: the former one of that verdict stands.
            latest = {(i.verdict if i.closed else None) or "open": moment(i) for i in kept}
            for verdict, at in latest.items():
                if at is not None:
                    yield (nic.nic, verdict), at.wall_ns / SECOND_NS

    return samples


REMEDIATION_FAMILIES: tuple[Family | HistogramFamily, ...] = (
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
    Family(
        "remediation_recoveries_total",
        "counter",
        "Steps after which the NIC was well again, verified.",
        ("nic", "step"),
        _steps(lambda nic: nic.recoveries_total),
    ),
    HistogramFamily(
        "nic_recovery_seconds",
        "How long it took from the first evidence of a fault until a step had helped, verified.",
        ("nic",),
        _recoveries,
    ),
    Family(
        "remediation_blocked_total",
        "counter",
        "Times a step was due and might not be taken.",
        ("nic", "reason"),
        _blocked,
    ),
    Family(
        "remediation_budget_remaining",
        "gauge",
        "Steps that may still be taken just now; absent for a NIC that usb_nic.match does not "
        "name, on which none ever is.",
        ("nic",),
        of_nics(lambda nic: nic.steps_left),
    ),
    Family(
        "incidents_total",
        "counter",
        "Incidents that are closed: recovered by a step, link_only (the gateway stayed silent), "
        "beyond_repair, passed, or cut_off by a reboot or another adapter.",
        ("nic", "verdict"),
        _incidents_total,
    ),
    Family(
        "incident_start_timestamp_seconds",
        "gauge",
        'When the latest incident of this verdict began; "open" is one that is not over.',
        ("nic", "verdict"),
        _incidents(lambda incident: incident.opened),
    ),
    Family(
        "incident_end_timestamp_seconds",
        "gauge",
        "When the latest incident of this verdict was closed.",
        ("nic", "verdict"),
        _incidents(lambda incident: incident.closed),
    ),
)
