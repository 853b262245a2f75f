"""`nodemend cni apply --restart-networkd`: a start of networkd after which nothing is missing.

What rules, routes and addresses of others there are is remembered; what is missing after is put
back as it was, by the same hands as the guard's. What is networkd's own it makes anew itself.
Nobody else needs to be there: whoever asked may have lost his connection by it.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from threading import Event

from agent.act import command
from agent.act.entries import put_back
from agent.audit.networkd import Unanswered, ask, understand
from agent.decide.cni_putting_back import turn
from agent.model.cni import Entry
from agent.observe.network import list_network

SETTLED_SECONDS_MAX = 60.0
LISTING_SECONDS = 5.0
ROUNDS = 10  # of putting back: a route waits for its address, which may wait for a lease
ROUND_SECONDS = 1.0
# RTPROT_RA, RTPROT_DHCP; an address that is leased (observe/entries.py) has the latter.
_NETWORKDS = (9, 16)
_RESTART = ("systemctl", "restart", "systemd-networkd.service")
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
    before = _standing()
    failure = ""
    try:
        command.run(*_RESTART, seconds_max=SETTLED_SECONDS_MAX)
    except OSError as error:
        failure = str(error)
    lost: dict[str, Entry] = {}
    reasons: dict[str, str] = {}
    deadline = time.monotonic() + SETTLED_SECONDS_MAX  # from the start on
    calm, pause = 0, Event()
    while calm < ROUNDS and time.monotonic() < deadline:
        missing = _missing(before)
        lost |= missing
        attempts = put_back(tuple(sorted(missing.values(), key=turn))) if missing else ()
        reasons = {a.payload: a.failure for a in attempts if a.failure}
        calm = calm + 1 if not reasons and _is_settled() else 0
        pause.wait(ROUND_SECONDS / ROUNDS if missing else ROUND_SECONDS)
    if failure and not lost:
        raise OSError(failure)
    still = tuple((lost[payload], reason) for payload, reason in reasons.items())
    return Outcome(tuple(lost.values()), still)


def _standing() -> dict[str, Entry]:
    entries, _links = list_network(LISTING_SECONDS)
    return {entry.payload: entry for entry in entries if entry.protocol not in _NETWORKDS}


def _missing(before: dict[str, Entry]) -> dict[str, Entry]:
    now = _standing()
    return {payload: entry for payload, entry in before.items() if payload not in now}


def _is_settled() -> bool:
    try:
        links = understand(ask()).links
    except Unanswered:
        return True  # no bus: nobody says, and the listing above is the judge
    return not any(link.state in _UNSETTLED for link in links)
