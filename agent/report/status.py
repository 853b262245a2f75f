"""What `nodemend status` shows: one object for programs, the same in words for people.

What a tired person needs first stands first: the verdict, then the worst NIC.
"""

from __future__ import annotations

from typing import Any

from agent.model.policy import Mode
from agent.model.snapshot import Snapshot
from agent.model.state import Bystander, Nic
from agent.report import cni_status, gpu, gpu_status
from agent.report.next_step import next_step, worst_first
from agent.report.verdict import verdict
from agent.report.when import clock_time

_SECOND_NS = 1_000_000_000
_MEGABIT = 1_000_000


def as_object(snapshot: Snapshot) -> dict[str, Any]:
    """The JSON of `nodemend status --json`; times are Unix seconds."""
    uptime_ns = snapshot.at.boottime_ns - snapshot.started.boottime_ns
    return {
        "verdict": verdict(snapshot),
        "version": snapshot.version,
        "mode": snapshot.mode,
        "config": snapshot.config_path,
        "uptime_seconds": uptime_ns / _SECOND_NS,
        "notices": _notices(snapshot),
        "nics": [_nic(nic, snapshot.mode) for nic in worst_first(snapshot.state.nics)],
        "other_links": [_bystander(b) for b in snapshot.state.bystanders.values()],
        "cni": cni_status.as_object(snapshot),
        "gpu": gpu.as_object(snapshot.gpu, snapshot.state.gpu, with_processes=False),
        "blind_spots": list(snapshot.state.blind_spots),
        "sources": {
            name: {"condition": source.condition, "detail": source.detail}
            for name, source in snapshot.sources.items()
        },
    }


def _notices(snapshot: Snapshot) -> list[str]:
    """What is not as the configuration on disk says."""
    forced = (f"only observes: {why}" for why in snapshot.state.observe_because.values())
    refused = (
        f"refused, an older configuration is in force: {problem}"
        for problems in snapshot.state.config_problems.values()
        for problem in problems
    )
    return [*forced, *refused]


def _nic(nic: Nic, mode: Mode) -> dict[str, Any]:
    link, adapter = nic.link, nic.adapter
    climb = nic.climb if mode == "remediate" else None  # else nothing will come of it
    health, uplink = nic.senses.health, nic.senses.uplink
    changed_ns = nic.last_carrier_change_wall_ns
    return {
        "nic": nic.nic,
        "connector": adapter.connector,
        "device": link.device if link else None,
        "ifindex": link.ifindex if link else None,
        "mac": link.mac if link else None,
        "driver": adapter.driver,
        "vendor_id": adapter.vendor_id,
        "product_id": adapter.product_id,
        "usb_speed_bits": adapter.usb_speed_bits or None,
        "speed_bits": nic.speed_bits,
        "health": health.state if health else None,
        "evidence": list(health.evidence) if health else [],
        "next_step": next_step(nic),
        "health_since_timestamp_seconds": health.since.wall_ns / _SECOND_NS if health else None,
        "gateway": uplink.gateway if uplink else None,
        "layer3_device": uplink.layer3_device if uplink else None,
        "reachable": nic.senses.reach.reachable,
        "present": link is not None,
        "admin_up": link.admin_up if link else None,
        "carrier": link.admin_up and link.carrier if link else None,
        "carrier_losses_total": nic.carrier_losses_total,
        "flaps_total": nic.flaps_total,
        "disconnects_total": nic.disconnects_total,
        "unobserved_gaps_total": nic.unobserved_gaps_total,
        "last_carrier_change_timestamp_seconds": changed_ns / _SECOND_NS if changed_ns else None,
        "step": {"step": nic.step.step, "phase": nic.step.phase} if nic.step else None,
        "repair": {"phase": climb.phase, "tried": list(climb.tried)} if climb else None,
        "steps_left": nic.steps_left,
    }


def _bystander(bystander: Bystander) -> dict[str, Any]:
    return {
        "device": bystander.latest.device,
        "driver": (bystander.adapter.driver or None) if bystander.adapter else None,
        "ignored": bystander.ignored,
    }


def as_text(status: dict[str, Any]) -> str:
    """The same for people: the verdict, what is wrong, the NICs, the rest."""
    up, config = duration(status["uptime_seconds"]), status["config"] or "none (all defaults)"
    lines = [status["verdict"], *status["notices"]]
    lines += [f"source {name} FAILED: {words}" for name, words in _failed(status)]
    lines += [line for nic in status["nics"] for line in ("", *_nic_lines(nic))]
    if not status["nics"]:
        lines += ["", "No NIC is watched: no USB NIC, and no default route."]
    lines += cni_status.lines(status["cni"])
    lines += gpu_status.lines(status["gpu"])
    lines += [""]
    lines.append(f"nodemend {status['version']}, mode {status['mode']}, up {up}, config {config}")
    lines += _sources_in_words(status["sources"])
    if status["other_links"]:
        others = ", ".join(other_in_words(other) for other in status["other_links"])
        lines.append(f"other links, left alone: {others}")
    lines += [f"may not see or do: {spot}" for spot in status["blind_spots"]]
    return "\n".join(lines) + "\n"


def _failed(status: dict[str, Any]) -> list[tuple[str, str]]:
    sources = status["sources"].items()
    return [(name, s["detail"]) for name, s in sources if s["condition"] == "failed"]


def _sources_in_words(sources: dict[str, Any]) -> list[str]:
    well = [name for name, source in sources.items() if source["condition"] == "ok"]
    absent = [(n, s["detail"]) for n, s in sources.items() if s["condition"] == "not_applicable"]
    lines = [f"sources ok: {', '.join(well) or 'none'}"]
    return [*lines, *(f"source {name} not applicable: {words}" for name, words in absent)]


def rows_of(nic: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of a NIC besides its health, by what it is about."""
    return [
        ("Link", _link_in_words(nic) + _last_change(nic)),
        ("Adapter", _adapter_in_words(nic)),
        *(("Gateway", words) for words in _reach_in_words(nic)),
        ("Counts", _counts_in_words(nic)),
        *([("Step", _step_in_words(nic["step"]))] if nic["step"] else []),
        *([("Repair", _repair_in_words(nic))] if nic["repair"] else []),
    ]


_PREFIXES = {"Step": "step ", "Repair": "repair: "}  # of rows that do not speak for themselves

# By the phase of decide/step.py and decide/aftercare.py.
_STEP_WORDS = {
    "running": "is being carried out",
    "verifying": "was carried out; whether it helped is being looked at",
    "undoing": "is being taken back",
    "checking": "brought the link back; whether k3s and Cilium are is being looked at",
    "caring": "brought the link back; units are being restarted",
}


def _step_in_words(step: dict[str, Any]) -> str:
    return f"{step['step']} {_STEP_WORDS[step['phase']]}"


# By the phase of decide/climb.py.
_REPAIR_WORDS = {
    "waiting": "a step may follow, if this lasts",
    "probing": "looks anew before a step",
    "stepping": "a step is under way",
    "settling": "well again, and watched for a while",
    "resting": "no step is left; at rest for some hours",
}


def _repair_in_words(nic: dict[str, Any]) -> str:
    tried = ", ".join(nic["repair"]["tried"])
    words = _REPAIR_WORDS[nic["repair"]["phase"]] + (f"; tried: {tried}" if tried else "")
    return f"{words}; steps left: {nic['steps_left']}"


def _last_change(nic: dict[str, Any]) -> str:
    changed = nic["last_carrier_change_timestamp_seconds"]
    return f", last carrier change {clock_time(changed)}" if changed else ""


def _adapter_in_words(nic: dict[str, Any]) -> str:
    named = "" if nic["nic"] == nic["connector"] else f", connector {nic['connector']}"
    hardware = f"{nic['driver']}, {nic['vendor_id']}:{nic['product_id']}"
    usb_bits, link_bits = nic["usb_speed_bits"], nic["speed_bits"]
    speed = f", USB at {usb_bits // _MEGABIT} Mb/s" if usb_bits else ""
    speed += f", link at {link_bits // _MEGABIT} Mb/s" if link_bits else ""
    return f"{hardware}{speed}{named}"


def _counts_in_words(nic: dict[str, Any]) -> str:
    counts = (
        (nic["carrier_losses_total"], "carrier losses"),
        (nic["flaps_total"], "flaps"),
        (nic["disconnects_total"], "disconnects"),
        (nic["unobserved_gaps_total"], "unobserved gaps"),
    )
    return ", ".join(f"{what} {count}" for count, what in counts)


def _nic_lines(nic: dict[str, Any]) -> list[str]:
    return [
        f"{nic['nic']}: {_health_in_words(nic)}",
        *(f"  because {words}" for words in nic["evidence"]),
        *([f"  next: {nic['next_step']}"] if nic["next_step"] else []),
        *(f"  {_PREFIXES.get(what, '')}{words}" for what, words in rows_of(nic)),
    ]


def _health_in_words(nic: dict[str, Any]) -> str:
    if nic["health"] is None:
        return "not judged, neither in usb_nic.match nor ever seen with a default route"
    since = nic["health_since_timestamp_seconds"]
    return f"{nic['health'].upper()} since {clock_time(since)}"


def _reach_in_words(nic: dict[str, Any]) -> list[str]:
    if nic["health"] is None or not nic["carrier"]:
        return []
    if nic["gateway"] is None:
        return ["no default route with a gateway leads through it"]
    via = "" if nic["layer3_device"] == nic["device"] else f" on {nic['layer3_device']}"
    known = {True: "answers", False: "DOES NOT ANSWER any more", None: "has not answered yet"}
    return [f"gateway {nic['gateway']}{via} {known[nic['reachable']]}"]


def _link_in_words(nic: dict[str, Any]) -> str:
    if not nic["present"]:
        return "gone"
    device = f"{nic['device']} ({nic['mac']})"
    if not nic["admin_up"]:
        return f"{device} is set down by an administrator"
    return f"{device} has {'a carrier' if nic['carrier'] else 'NO CARRIER'}"


def other_in_words(other: dict[str, Any]) -> str:
    ignored = ", ignored by usb_nic.ignore" if other["ignored"] else ""
    return f"{other['device']} ({other['driver'] or 'no driver known'}{ignored})"


def duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
