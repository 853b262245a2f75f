"""`nodemend cni apply --restart-networkd`: a start of networkd after which nothing is missing.

What rules, routes and addresses of others there are is remembered; what is missing after is put
back as it was, by the same hands as the guard's. What is networkd's own it makes anew itself.
Nobody else needs to be there: whoever asked may have lost his connection by it.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from agent.act import command
from agent.act.entries import put_back
from agent.audit.audit import PROCESS
from agent.audit.host import Host
from agent.audit.networkd import ask, understand
from agent.audit.processes import running
from agent.audit.program import Unanswered
from agent.decide.cni_putting_back import turn
from agent.model.cni import Entry
from agent.observe.network import list_network

SETTLED_SECONDS_MAX = 60.0
LISTING_SECONDS = 5.0
ROUND_SECONDS = 0.1
QUIET_SECONDS = 5.0  # without anything missing: networkd configures one link after the other
# RTPROT_RA, RTPROT_DHCP; an address that is leased (observe/entries.py) has the latter.
_NETWORKDS = (9, 16)
_UNSETTLED = ("pending", "initialized", "configuring")


@dataclass(frozen=True)
class Outcome:
    """What was missing after the start; and of that, what is still missing, with the reasons."""

    lost: tuple[Entry, ...]
    missing: tuple[tuple[Entry, str], ...]


def restart_networkd() -> Outcome:
    """Restart it, and make whole what it took away. OSError where nothing could be done."""
    # The connection of whoever looks on may break with the rules and come back, or not.
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    before, old = _standing(), _process()
    # Not waited for: what it takes away is put back while it is still at it.
    command.run("systemctl", "restart", "--no-block", "systemd-networkd.service")
    lost: dict[str, Entry] = {}
    reasons: dict[str, str] = {}
    begun = quiet_since = time.monotonic()
    pause = Event()
    while (now := time.monotonic()) - begun < SETTLED_SECONDS_MAX:
        missing = _missing(before)
        lost |= missing
        reasons = _put_back(missing)
        if missing or _process() in (None, old):
            quiet_since = now
        elif now - quiet_since >= QUIET_SECONDS:
            if _is_settled():
                break
            quiet_since = now
        pause.wait(ROUND_SECONDS)
    if _process() in (None, old):
        raise OSError(f"it was not started anew within {SETTLED_SECONDS_MAX:.0f} s")
    still = tuple((lost[payload], reason) for payload, reason in reasons.items())
    return Outcome(tuple(lost.values()), still)


def _process() -> int | None:
    return running(Host(Path("/"))).get(PROCESS)


def _standing() -> dict[str, Entry]:
    entries, _links = list_network(LISTING_SECONDS)
    return {entry.payload: entry for entry in entries if entry.protocol not in _NETWORKDS}


def _missing(before: dict[str, Entry]) -> dict[str, Entry]:
    try:
        now = _standing()
    except OSError:  # all changes while it is listed: the next look is a moment away
        return {}
    return {payload: entry for payload, entry in before.items() if payload not in now}


def _put_back(missing: dict[str, Entry]) -> dict[str, str]:
    """Why some of them could not be, by payload."""
    if not missing:
        return {}
    try:
        attempts = put_back(tuple(sorted(missing.values(), key=turn)))
    except OSError as error:
        return dict.fromkeys(missing, error.strerror or str(error))
    return {attempt.payload: attempt.failure for attempt in attempts if attempt.failure}


def _is_settled() -> bool:
    try:
        links = understand(ask()).links
    except Unanswered:
        return True  # no bus: nobody says, and the listing above is the judge
    return not any(link.state in _UNSETTLED for link in links)
