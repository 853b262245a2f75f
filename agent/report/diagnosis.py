"""The report: of each NIC what is to blame, with the evidence, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.model.identity import Stamp
from agent.model.policy import Policy
from agent.model.state import Nic
from agent.report.incidents import VERDICTS
from agent.report.signatures import ENOUGH, PARTS, SIGNS, Part, Sign
from agent.report.status import duration
from agent.report.track_record import TrackRecord, track_record
from agent.report.when import clock_time

_SECOND_NS = 1_000_000_000

# What it is, and what to do about it.
WORDS: Mapping[Part, tuple[str, str]] = {
    "cable": (
        "the cable, or its plug at either end",
        "Change the cable, then try another port of the switch.",
    ),
    "switch": (
        "the switch, or what is behind it",
        "Look at the switch's own log for this port; try another port; switch EEE off.",
    ),
    "adapter": (
        "the adapter, or the USB plug, power and heat that it lives on",
        "Try another plug without a hub or an extension between, then another adapter.",
    ),
    "driver": (
        "the driver, or the adapter's firmware",
        "Try another kernel and the newest linux-firmware; report it with an incident's bundle.",
    ),
    "controller": (
        "the machine's USB controller",
        "Update the BIOS; try a plug of another controller.",
    ),
}


def as_object(
    nics: Mapping[str, Nic], policy: Policy, at: Stamp, since_seconds: int
) -> dict[str, Any]:
    """The JSON of `nodemend report --json`; times are Unix seconds."""
    records = (track_record(nic, policy, at, since_seconds) for nic in nics.values())
    return {
        "at_timestamp_seconds": at.wall_ns / _SECOND_NS,
        "since_seconds": since_seconds,
        "mode": policy.mode,
        "budget_steps": policy.remediation.budget.steps,
        "budget_within_seconds": policy.remediation.budget.within_ns / _SECOND_NS,
        "nics": [_nic(record) for record in sorted(records, key=_trouble, reverse=True)],
    }


def blamed(record: TrackRecord) -> tuple[tuple[Part, ...], tuple[tuple[Sign, str], ...]]:
    """The parts with the most points, if these are enough; and every sign that was found."""
    looked = ((sign, sign.found(record)) for sign in SIGNS)
    found = tuple((sign, words) for sign, words in looked if words is not None)
    points = {part: sum(s.points for s, _ in found if s.part == part) for part in PARTS}
    most = max(points.values())
    parts = tuple(part for part in PARTS if points[part] == most) if most >= ENOUGH else ()
    return parts, found


def _trouble(record: TrackRecord) -> tuple[int, int]:
    return len(record.incidents), record.carrier_losses + record.disconnects


def _nic(record: TrackRecord) -> dict[str, Any]:
    nic, (parts, found) = record.nic, blamed(record)
    since_ns = record.counted_since_wall_ns
    return {
        "nic": nic.nic,
        "device": nic.link.device if nic.link is not None else None,
        "driver": nic.adapter.driver,
        "vendor_id": nic.adapter.vendor_id,
        "product_id": nic.adapter.product_id,
        "culprits": list(parts),
        "verdict": _verdict(record, parts, found),
        "to_do": [WORDS[part][1] for part in parts],
        "signs": [
            {"part": sign.part, "points": sign.points, "evidence": words, "because": sign.because}
            for sign, words in found
        ],
        "counted_since_timestamp_seconds": since_ns / _SECOND_NS if since_ns else None,
        "carrier_losses": record.carrier_losses,
        "flaps": record.flaps,
        "disconnects": record.disconnects,
        "downtime_seconds": record.downtime_seconds,
        "kernel_messages": dict(record.kernel),
        "incidents": [
            {
                "id": incident.id,
                "fault": incident.fault,
                "verdict": incident.verdict if incident.closed else None,
                "opened_timestamp_seconds": incident.opened.wall_ns / _SECOND_NS,
                "seconds": _lasted(record, incident.id),
            }
            for incident in record.incidents
        ],
        "steps": {step: dict(outcomes) for step, outcomes in record.outcomes().items()},
        "blocked": sum(nic.blocked_total.values()),
        "steps_left": nic.steps_left,
    }


def _lasted(record: TrackRecord, incident_id: str) -> float | None:
    """From the first evidence until it was well; None where it is not, or nobody saw it."""
    incident = next(each for each in record.incidents if each.id == incident_id)
    end = incident.well_since
    return None if end is None else max(0, end.wall_ns - incident.opened.wall_ns) / _SECOND_NS


def _verdict(
    record: TrackRecord, parts: tuple[Part, ...], found: tuple[tuple[Sign, str], ...]
) -> str:
    if parts:
        return "It is " + ", or ".join(WORDS[part][0] for part in parts) + "."
    if not found and not record.incidents:
        return "Nothing is wrong with it."
    return "There is not enough evidence to say what it is."


# --- for people -------------------------------------------------------------------------------


def as_markdown(report: dict[str, Any]) -> str:
    """The same, to be pasted into a ticket."""
    lines = [f"# NICs in the last {duration(report['since_seconds'])}", ""]
    lines.append(f"As of {clock_time(report['at_timestamp_seconds'])}, mode {report['mode']}.")
    for nic in report["nics"]:
        lines += [
            "",
            f"## {_title(nic)}",
            "",
            f"**{nic['verdict']}** {' '.join(nic['to_do'])}".rstrip(),
        ]
        for heading, rows in _sections(nic, report):
            lines += ["", f"{heading}:", "", *(f"- {row}" for row in rows)]
    if not report["nics"]:
        lines += ["", "No NIC is known."]
    return "\n".join(lines) + "\n"


def as_text(report: dict[str, Any]) -> str:
    """The same, for a terminal."""
    at = clock_time(report["at_timestamp_seconds"])
    lines = [f"The last {duration(report['since_seconds'])}, as of {at}, mode {report['mode']}"]
    for nic in report["nics"]:
        lines += ["", _title(nic), f"  {nic['verdict']}", *(f"  {words}" for words in nic["to_do"])]
        for heading, rows in _sections(nic, report):
            lines += [f"  {heading}:", *(f"    {row}" for row in rows)]
    if not report["nics"]:
        lines += ["", "No NIC is known."]
    return "\n".join(lines) + "\n"


def _title(nic: dict[str, Any]) -> str:
    device = nic["device"] or "gone"
    return f"{nic['nic']} ({device}, {nic['driver']}, {nic['vendor_id']}:{nic['product_id']})"


def _sections(nic: dict[str, Any], report: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    if nic["signs"]:
        yield "Evidence", [_sign_in_words(sign) for sign in nic["signs"]]
    yield "How often and how long", list(_counts(nic))
    if nic["incidents"]:
        yield "Incidents", [_incident_in_words(incident) for incident in nic["incidents"]]
    yield "What was done", list(_deeds(nic, report))


def _sign_in_words(sign: dict[str, Any]) -> str:
    weight = "speaks for" if sign["points"] >= ENOUGH else "hints at"
    return f"{sign['evidence']}, which {weight} the {sign['part']} ({sign['because']})"


def _counts(nic: dict[str, Any]) -> Iterator[str]:
    since = nic["counted_since_timestamp_seconds"]
    counted = f"since {clock_time(since)}" if since else "since it is known"
    yield (
        f"carrier losses {nic['carrier_losses']}, flaps {nic['flaps']}, disconnects "
        f"{nic['disconnects']}, {counted}"
    )
    yield f"without a carrier or gone for {duration(nic['downtime_seconds'])}"
    if nic["kernel_messages"]:
        told = ", ".join(
            f"{name} {count}" for name, count in sorted(nic["kernel_messages"].items())
        )
        yield f"the kernel's messages: {told}"


def _incident_in_words(incident: dict[str, Any]) -> str:
    seconds = incident["seconds"]
    lasted = f" after {duration(seconds)}" if seconds is not None else ""
    opened = clock_time(incident["opened_timestamp_seconds"])
    return (
        f"{opened}  {incident['fault']}; {VERDICTS[incident['verdict']]}{lasted} ({incident['id']})"
    )


def _deeds(nic: dict[str, Any], report: dict[str, Any]) -> Iterator[str]:
    for step, outcomes in nic["steps"].items():
        words = dict(outcomes)
        withheld, verified = words.pop("withheld", 0), words.pop("verified", 0)
        taken = verified + sum(words.values())
        if taken:
            rest = "".join(f", {outcome} {count}" for outcome, count in words.items())
            yield f"{step} was taken {_times(taken)}: helped {verified}{rest}"
        if withheld:
            yield f"{step} would have been taken {_times(withheld)} (mode observe)"
    if not nic["steps"]:
        yield "no step was due"
    if nic["steps_left"] is None:
        yield "usb_nic.match does not name it: no step is ever taken"
        return
    within = duration(report["budget_within_seconds"])
    blocked = f"; {_times(nic['blocked'])} it was spent" if nic["blocked"] else ""
    yield f"{nic['steps_left']} of {report['budget_steps']} steps within {within} are left{blocked}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
