"""Incidents for people and for programs: what happened, what was tried, what worked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent.model.incident import Incident, Sight
from agent.model.state import Nic, State
from agent.report import gpu_incidents
from agent.report.when import clock_time

_SECOND_NS = 1_000_000_000
_MEGABIT = 1_000_000
# What `verdict` means; None: it is open.
VERDICTS: Mapping[str | None, str] = {
    None: "open",
    "recovered": "a step helped, verified",
    "link_only": "the link is back, and whoever needs it is not",
    "beyond_repair": "no step helped",
    "passed": "it passed without a step that helped",
    "cut_off": "a reboot or another adapter ended it",
}
_INDENT = f"{'':23}"


def as_objects(state: State) -> list[dict[str, Any]]:
    """All that are kept, the newest first; times are Unix seconds."""
    nics = state.nics.values()
    found = [_object(nic, incident) for nic in nics for incident in nic.incidents]
    found += gpu_incidents.as_objects(state.gpu)
    return sorted(found, key=lambda each: each["opened_timestamp_seconds"], reverse=True)


def list_in_words(incidents: list[dict[str, Any]]) -> str:
    """A line each."""
    if not incidents:
        return "no incident is on record"
    return "\n".join(
        f"{i['id']}  {clock_time(i['opened_timestamp_seconds'])}  {_in_short(i)}" for i in incidents
    )


def _in_short(incident: dict[str, Any]) -> str:
    if "gpu_uuid" in incident:
        return gpu_incidents.in_short(incident)
    steps = _steps_in_short(incident)
    return f"{incident['nic']}: {incident['fault']}; {_verdict(incident)}{steps}"


def show_in_words(incident: dict[str, Any]) -> str:
    """The whole of one."""
    if "gpu_uuid" in incident:
        return gpu_incidents.in_words(incident)
    device = incident["device"] or "no interface"
    lines = [
        f"{incident['id']}: {incident['nic']} ({device}), {incident['fault']}",
        f"  {clock_time(incident['opened_timestamp_seconds'])}  the first evidence",
        *(f"{_INDENT}because {words}" for words in incident["evidence"]),
        *_sight_in_words("before", incident["before"]),
    ]
    for step in incident["steps"]:
        detail = f": {step['detail']}" if step["detail"] else ""
        outcome = step["outcome"] or "under way"
        began = clock_time(step["began_timestamp_seconds"])
        lines.append(f"  {began}  {step['step']} {outcome}{detail}")
        if step["because"] and step["because"] != incident["fault"]:
            lines.append(f"{_INDENT}because {step['because']}")
    if incident["well_since_timestamp_seconds"] is not None:
        lines.append(f"  {clock_time(incident['well_since_timestamp_seconds'])}  well again")
    if incident["closed_timestamp_seconds"] is not None:
        lines.append(f"  {clock_time(incident['closed_timestamp_seconds'])}  closed")
        lines += _sight_in_words("after", incident["after"])
    lines.append(f"  verdict: {_verdict(incident)}")
    if incident.get("recording"):
        lines.append(f"  recording: {incident['recording']}")
    return "\n".join(lines)


def _verdict(incident: dict[str, Any]) -> str:
    """Until it is closed the last word is not spoken."""
    is_open = incident["closed_timestamp_seconds"] is None
    words = VERDICTS[incident["verdict"]]
    if is_open and incident["verdict"] is not None:
        return f"open; {words}"
    return words if not is_open or incident["kept"] else "open, too short yet to be kept"


def _steps_in_short(incident: dict[str, Any]) -> str:
    steps = [f"{step['step']} {step['outcome'] or 'under way'}" for step in incident["steps"]]
    return f" ({', '.join(steps)})" if steps else ""


def _sight_in_words(when: str, sight: dict[str, Any] | None) -> list[str]:
    if sight is None:
        return []
    usb, link = sight["usb_speed_bits"] // _MEGABIT, sight["speed_bits"]
    carrier = "a carrier" if sight["carrier"] else "no carrier"
    link_words = f"{sight['device']} with {carrier}" if sight["device"] else "no interface"
    speed = f", link at {link // _MEGABIT} Mb/s" if link else ""
    counts = (
        f"{sight['carrier_losses_total']} carrier losses, {sight['flaps_total']} flaps, "
        f"{sight['disconnects_total']} disconnects"
    )
    adapter = f"{sight['driver']}, USB {sight['usb_path']} at {usb} Mb/s"
    lines = [f"{_INDENT}{when}: {link_words}{speed}; {adapter}; {counts}"]
    if counters := sight["counters"]:
        lines.append(
            f"{_INDENT}{'':{len(when)}}  {counters['rx_packets']} packets received, "
            f"{counters['tx_packets']} sent, errors {counters['rx_errors']} and "
            f"{counters['tx_errors']}, dropped {counters['rx_dropped']} and "
            f"{counters['tx_dropped']}, transmit timeouts {counters['tx_timeouts']}, carrier "
            f"changes {counters['carrier_changes']}"
        )
    return lines


def _object(nic: Nic, incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "nic": nic.nic,
        "device": incident.device,
        "fault": incident.fault,
        "verdict": incident.verdict,
        "kept": incident.kept,
        "opened_timestamp_seconds": incident.opened.wall_ns / _SECOND_NS,
        "well_since_timestamp_seconds": incident.well_since.wall_ns / _SECOND_NS
        if incident.well_since
        else None,
        "closed_timestamp_seconds": incident.closed.wall_ns / _SECOND_NS
        if incident.closed
        else None,
        "evidence": list(incident.evidence),
        "before": _sight(incident.before),
        "steps": [
            {
                "step": step.step,
                "because": step.because,
                "began_timestamp_seconds": step.began.wall_ns / _SECOND_NS,
                "outcome": step.outcome,
                "detail": step.detail,
            }
            for step in incident.steps
        ],
        "after": _sight(incident.after),
    }


def _sight(sight: Sight | None) -> dict[str, Any] | None:
    if sight is None:
        return None
    found = asdict(sight)
    found["at_timestamp_seconds"] = found.pop("at")["wall_ns"] / _SECOND_NS
    return found
