"""Checks: what the next start of systemd-networkd, or a carrier loss, would take from the CNI.

Sources: networkd.conf(5) and systemd.network(5); what is said of restarts and carrier losses was
seen with systemd 249, 252, 255 and 257.
"""

from __future__ import annotations

from agent.audit import cni_here, guards, uplinks
from agent.audit.answer import Answer, NotKnown, no, unknown, yes
from agent.audit.audit import MANAGES_ROUTES, MANAGES_RULES, PROCESS, Audit, manages
from agent.audit.check import APPLY, Check
from agent.audit.files import File
from agent.audit.processes import running, started_timestamp_seconds
from agent.audit.settings import says_no
from agent.audit.upgrades import starting_networkd

WORDS_MAX = 8
_EVERY_CARRIER_LOSS = 249  # the version that also cleans up whenever a carrier is lost
_IGNORE_TIME_SINCE = 250  # before, IgnoreCarrierLoss= knew only yes and no


def _rules(audit: Audit) -> Answer:
    lost = audit.forecast.rules if audit.forecast else ()
    return _deleted(audit, MANAGES_RULES, manages(audit.conf).rules, "ip rules", lost)


def _routes(audit: Audit) -> Answer:
    lost = audit.forecast.routes if audit.forecast else ()
    return _deleted(audit, MANAGES_ROUTES, manages(audit.conf).routes, "routes", lost)


def _deleted(audit: Audit, key: str, is_on: bool, what: str, lost: tuple[str, ...]) -> Answer:
    idle = leaves_all_alone(audit)
    if idle:
        return yes(idle)
    if audit.conf_problem:
        raise NotKnown(audit.conf_problem)
    if not cni_here.is_here(audit.host):
        return yes(f"there is no CNI here, whose {what} systemd-networkd could delete")
    if lost:
        when = "The next start of systemd-networkd (each upgrade of systemd is one) deletes"
        return no(
            f"{when} {len(lost)} {what} of others: {_listed(lost)}{guards.in_words(audit)}", _CURE
        )
    if not is_on:
        return _in_force(audit, key)
    if audit.forecast is None:
        return no(
            f"systemd-networkd deletes {what} of others, but for those of protocol kernel, when it "
            f"starts and when it configures a link anew{_at_carrier_losses(audit)}; which ones "
            f"there are now is not known: {audit.unforetold}{guards.in_words(audit)}",
            _CURE,
        )
    return no(
        f"there are none now, but systemd-networkd deletes {what} of others, but for those of "
        "protocol kernel, when it starts and when it configures a link anew"
        f"{_at_carrier_losses(audit)}{guards.in_words(audit)}",
        _CURE,
    )


_CURE = (
    f"{APPLY} writes what keeps networkd from it (--dry-run shows it); networkd reads that when it "
    f"starts, and a start is what does the harm: {APPLY} --restart-networkd has it done under guard"
)


def _at_carrier_losses(audit: Audit) -> str:
    return (
        ", and (systemd 249) at every carrier loss" if audit.version == _EVERY_CARRIER_LOSS else ""
    )


def _listed(lost: tuple[str, ...]) -> str:
    more = f"; and {len(lost) - WORDS_MAX} more" if len(lost) > WORDS_MAX else ""
    return "; ".join(lost[:WORDS_MAX]) + more


def _in_force(audit: Audit, key: str) -> Answer:
    """networkd reads networkd.conf when it starts, and never again."""
    host = audit.host
    paths = sorted({s.path for s in audit.conf if s.key == key})
    started = started_timestamp_seconds(host, running(host)[PROCESS])
    late = [host.shown(path) for path in paths if path.stat().st_mtime > started]
    if late:
        return unknown(
            f"{', '.join(late)} says {key}=no, but was written after networkd started, which reads "
            "it only then",
            f"{APPLY} --restart-networkd",
        )
    return yes(f"{key}=no ({', '.join(host.shown(path) for path in paths)})")


def _uplink_kept(audit: Audit) -> Answer:
    idle = leaves_all_alone(audit)
    if idle:
        return yes(idle)
    if not cni_here.is_here(audit.host):
        return yes("there is no CNI here")
    exposed = [
        (link, file, missing)
        for link, file in uplinks.uplinks(audit)
        if (missing := _missing(file))
    ]
    if not exposed:
        return yes("networkd configures no uplink that does not keep what it has")
    found = ", ".join(
        f"{link} ({audit.host.shown(file.path)} without {' and '.join(f'{k}=' for k in missing)})"
        for link, file, missing in exposed
    )
    addresses = audit.forecast.addresses if audit.forecast else ()
    now = f" Now these would go: {_listed(addresses)}." if addresses else ""
    return no(
        "a start of networkd, or a short carrier loss, can take others' addresses (VIPs) from the "
        f"uplink, and with its last address all its routes, without a word: {found}.{now}",
        f"{APPLY} writes a drop-in for {' and '.join(f.path.name for _, f, _ in exposed)}",
    )


def _upgrades(audit: Audit) -> Answer:
    idle = leaves_all_alone(audit)
    if idle:
        return yes(idle)
    if not cni_here.is_here(audit.host):
        return yes("there is no CNI here")
    if audit.upgrades is None:
        raise NotKnown(
            "which upgrades are pending is not known: apt was not asked, or does not say"
        )
    found = starting_networkd(audit.upgrades, audit.version)
    if not found:
        return yes("no upgrade is pending that would start systemd-networkd anew")
    words = f"pending: {', '.join(found)}; to install it is to start systemd-networkd anew"
    if audit.forecast is not None and audit.forecast.is_empty:
        return yes(f"{words}, which takes nothing from anybody")
    return no(f"{words}: see cni_rules and cni_routes for what that takes", f"{APPLY}, before it")


def _missing(file: File) -> list[str]:
    keys = ("KeepConfiguration", "IgnoreCarrierLoss")
    return [key for key in keys if says_no(file.last("Network", key))]


def ignore_carrier_loss(version: int | None) -> str:
    """The value that this systemd understands."""
    return "15s" if version is None or version >= _IGNORE_TIME_SINCE else "yes"


def leaves_all_alone(audit: Audit) -> str | None:
    """Why networkd takes nothing from anybody here; None where it may."""
    if not audit.is_running:
        return "systemd-networkd does not run"
    networkd, host = audit.networkd, audit.host
    if networkd is not None:
        is_idle = not any(link.is_managed for link in networkd.links)
    else:
        has_notes = bool(host.names(host.path(uplinks.NOTES)))
        is_idle = has_notes and not uplinks.noted_as_managed(host)
    if is_idle:
        return "systemd-networkd manages no link"
    return None


RESTART_CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "cni_rules",
        "networkd does not run, or leaves ip rules of others alone",
        "otherwise its next start, as in an upgrade of systemd, can cut pods off; .network files "
        "with Unmanaged=yes for the CNI's links do not change that",
        _rules,
    ),
    Check(
        "cni_routes",
        "networkd does not run, or leaves routes of others alone",
        "the same; and with the last address of a link all its routes go",
        _routes,
    ),
    Check(
        "uplink_kept",
        "the uplink's .network file says `KeepConfiguration=` and `IgnoreCarrierLoss=`",
        "otherwise a start of networkd or a short carrier loss takes VIPs, and can take all "
        "routes, from the uplink",
        _uplink_kept,
    ),
    Check(
        "pending_upgrades",
        "no upgrade is pending that starts networkd anew, or a start takes nothing",
        "it is when one does not expect it: unattended, at night",
        _upgrades,
    ),
)
