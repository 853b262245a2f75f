"""The CNI in a few lines, for `nodemend status` and the page: what is guarded, what is missing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agent import cni_table
from agent.model.snapshot import Snapshot

MISSING_MAX = 8


def as_object(snapshot: Snapshot) -> dict[str, Any]:
    """What is known; `cnis` is empty where no CNI is at work."""
    guard, policy = snapshot.state.cni, snapshot.policy.cni_guard
    guarded: dict[str, Counter[str]] = {}
    for standing in guard.standing.values():
        cni = cni_table.whose(standing.entry, guard.links, policy, guard.runtime)
        if cni and standing.entry.kind in _COUNTED:
            guarded.setdefault(cni, Counter())[standing.entry.kind] += 1
    missing = [*guard.losses.values(), *guard.in_flight.values()]
    return {
        "is_active": guard.runtime.is_active,
        "guarded": {cni: dict(kinds) for cni, kinds in sorted(guarded.items())},
        "missing": [
            {
                "entry": loss.standing.entry.words,
                "kind": loss.standing.entry.kind,
                "culprit": loss.culprit or None,
                "phase": loss.phase,
            }
            for loss in missing
        ],
        "exposed_by": list(guard.exposure.wrong),
        "exposed_rules": guard.exposure.exposed_rules,
        "exposed_routes": guard.exposure.exposed_routes,
        "interference_total": sum(guard.counts.interference_total.values()),
        "restores_total": sum(guard.counts.restores_total.values()),
        "networkd_restarts_total": guard.counts.networkd_restarts_total,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """For the terminal; none where no CNI is at work."""
    return (
        ["", heading(found), *(f"  {words}" for _, words in rows_of(found))]
        if is_shown(found)
        else []
    )


def is_shown(found: dict[str, Any]) -> bool:
    """Whether there is anything to say."""
    reasons = ("is_active", "missing", "interference_total", "exposed_by")
    return any(found[reason] for reason in reasons)


def heading(found: dict[str, Any]) -> str:
    """The verdict."""
    if found["missing"]:
        return f"CNI: {len(found['missing'])} MISSING"
    return "CNI: ok" if found["is_active"] else "CNI: not at work (k3s or kubelet does not run)"


def rows_of(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known, by what it is about."""
    rows = [("Guarded", _guarded(cni, kinds)) for cni, kinds in found["guarded"].items()]
    missing = found["missing"]
    rows += [("Missing", _missing(loss)) for loss in missing[:MISSING_MAX]]
    if len(missing) > MISSING_MAX:
        rows.append(("Missing", f"and {len(missing) - MISSING_MAX} more"))
    if found["exposed_by"]:
        rows.append(("Exposed", _exposed(found)))
    taken, back = found["interference_total"], found["restores_total"]
    restarts = found["networkd_restarts_total"]
    rows.append(
        ("So far", f"{taken} taken away, {back} put back; networkd started anew {restarts} times")
    )
    return rows


def _exposed(found: dict[str, Any]) -> str:
    rules, routes = found["exposed_rules"], found["exposed_routes"]
    checks = f"by {', '.join(found['exposed_by'])}; see `nodemend cni audit`"
    if rules is None or routes is None:
        return checks
    return f"the next start of networkd deletes {rules} rules and {routes} routes, {checks}"


# A link has one name among all that it is like.
_COUNTED = {
    "rule": ("rule", "rules"),
    "route": ("route", "routes"),
    "address": ("address", "addresses"),
    "name": ("link", "links"),
}
_IN_WORDS = {
    "asked": "by whom is being found out",
    "owners_turn": "the CNI may put it back",
    "looking": "about to be put back",
    "wayless": "waits for its device or next hop",
    "resting": "left alone: it was too often",
}


def _guarded(cni: str, counted: dict[str, int]) -> str:
    numbers = [(counted.get(kind, 0), words) for kind, words in _COUNTED.items()]
    words = (f"{count} {words[count != 1]}" for count, words in numbers if count)
    return f"{cni}: {', '.join(words)}"


def _missing(loss: dict[str, Any]) -> str:
    who = f"taken by {loss['culprit']}, " if loss["culprit"] else ""
    return f"{loss['kind']} {loss['entry']}: {who}{_IN_WORDS[loss['phase']]}"
