"""What `nodemend status` shows: one object for programs, the same in words for people."""

from __future__ import annotations

import time
from typing import Any

from agent.model.snapshot import Snapshot
from agent.model.state import Bystander, Nic

_SECOND_NS = 1_000_000_000
_MEGABIT = 1_000_000


def as_object(snapshot: Snapshot) -> dict[str, Any]:
    """The JSON of `nodemend status --json`; times are Unix seconds."""
    uptime_ns = snapshot.at.boottime_ns - snapshot.started.boottime_ns
    return {
        "version": snapshot.version,
        "mode": snapshot.policy.mode,
        "config": snapshot.config_path,
        "uptime_seconds": uptime_ns / _SECOND_NS,
        "nics": [_nic(nic) for nic in snapshot.state.nics.values()],
        "other_links": [_bystander(b) for b in snapshot.state.bystanders.values()],
        "blind_spots": list(snapshot.state.blind_spots),
        "sources": {
            name: {"condition": source.condition, "detail": source.detail}
            for name, source in snapshot.sources.items()
        },
    }


def _nic(nic: Nic) -> dict[str, Any]:
    link, adapter = nic.link, nic.adapter
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
    }


def _bystander(bystander: Bystander) -> dict[str, Any]:
    return {
        "device": bystander.latest.device,
        "driver": (bystander.adapter.driver or None) if bystander.adapter else None,
        "ignored": bystander.ignored,
    }


def as_text(status: dict[str, Any]) -> str:
    """The same for people: NICs first, then what is wrong, then the rest."""
    up, config = _duration(status["uptime_seconds"]), status["config"] or "none (all defaults)"
    lines = [f"nodemend {status['version']}, mode {status['mode']}, up {up}, config {config}"]
    lines += [line for nic in status["nics"] for line in ("", *_nic_lines(nic))]
    if not status["nics"]:
        lines += ["", "No NIC is watched: no USB NIC, and no default route."]
    lines += [""]
    for name, source in status["sources"].items():
        mark = {"ok": "ok", "failed": "FAILED"}.get(source["condition"], "not applicable")
        lines.append(f"source {name}: {mark}{': ' if source['detail'] else ''}{source['detail']}")
    if status["other_links"]:
        others = ", ".join(_other_in_words(other) for other in status["other_links"])
        lines.append(f"other links, left alone: {others}")
    lines += [f"may not see or do: {spot}" for spot in status["blind_spots"]]
    return "\n".join(lines) + "\n"


def _nic_lines(nic: dict[str, Any]) -> list[str]:
    named = "" if nic["nic"] == nic["connector"] else f", connector {nic['connector']}"
    changed = nic["last_carrier_change_timestamp_seconds"]
    since = f", last carrier change {_clock_time(changed)}" if changed else ""
    hardware = f"{nic['driver']}, {nic['vendor_id']}:{nic['product_id']}"
    usb_bits, link_bits = nic["usb_speed_bits"], nic["speed_bits"]
    speed = f", USB at {usb_bits // _MEGABIT} Mb/s" if usb_bits else ""
    speed += f", link at {link_bits // _MEGABIT} Mb/s" if link_bits else ""
    counts = (
        (nic["carrier_losses_total"], "carrier losses"),
        (nic["flaps_total"], "flaps"),
        (nic["disconnects_total"], "disconnects"),
        (nic["unobserved_gaps_total"], "unobserved gaps"),
    )
    lines = [
        f"{nic['nic']}: {_health_in_words(nic)}",
        *(f"  because {words}" for words in nic["evidence"]),
        f"  {_link_in_words(nic)}{since}",
        f"  {hardware}{speed}{named}",
        *(f"  {words}" for words in _reach_in_words(nic)),
        f"  {', '.join(f'{what} {count}' for count, what in counts)}",
    ]
    if nic["step"]:
        lines.append(f"  step {nic['step']['step']} is {nic['step']['phase']}")
    return lines


def _health_in_words(nic: dict[str, Any]) -> str:
    if nic["health"] is None:
        return "not judged, neither in usb_nic.match nor ever seen with a default route"
    since = nic["health_since_timestamp_seconds"]
    return f"{nic['health'].upper()} since {_clock_time(since)}"


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


def _other_in_words(other: dict[str, Any]) -> str:
    ignored = ", ignored by usb_nic.ignore" if other["ignored"] else ""
    return f"{other['device']} ({other['driver'] or 'no driver known'}{ignored})"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def _clock_time(unix_seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_seconds))
