"""Checks: the journal outlives a reset, has the fields, and explains each line."""

from __future__ import annotations

import importlib

from agent.audit.answer import Answer, no, yes
from agent.audit.check import Check
from agent.doctor.findings import Findings
from agent.report import catalog

CATALOG = "nodemend.catalog"
DATABASE = "var/lib/systemd/catalog/database"
DATABASE_BYTES_MAX = 64 * 1024 * 1024
_UPDATE = "journalctl --update-catalog"


def _fields(_findings: Findings) -> Answer:
    try:
        importlib.import_module("systemd.journal")
    except ImportError as error:
        return no(
            f"python3-systemd cannot be imported ({error}): events are only printed, without "
            "the fields that queries and `journalctl -x` need",
            "apt-get install python3-systemd; a virtual environment sees it only if it was made "
            "with --system-site-packages",
        )
    return yes("python3-systemd can be imported")


def _catalog(findings: Findings) -> Answer:
    """The database is what journalctl reads; it has each message id, in 16 bytes, as a key."""
    machine = findings.machine
    files = list(machine.systemd(f"catalog/{CATALOG}"))
    if not files:
        return no(
            f"{CATALOG} is not installed: `journalctl -x -u nodemend` explains nothing",
            f"in the checkout: cp systemd/{CATALOG} /usr/lib/systemd/catalog/ && {_UPDATE}",
        )
    installed = machine.text(files[0])
    if installed != catalog.catalog_text():
        return no(
            f"{machine.shown(files[0])} is that of another version of nodemend",
            f"in the checkout: cp systemd/{CATALOG} {machine.shown(files[0])} && {_UPDATE}",
        )
    database = machine.raw(machine.path(DATABASE), DATABASE_BYTES_MAX) or b""
    ids = [bytes.fromhex(event.message_id) for event in catalog.EVENTS.values()]
    missing = sum(message_id not in database for message_id in ids)
    if missing:
        return no(
            f"{missing} of {len(ids)} events are not in journald's catalog (/{DATABASE}): "
            "it was not updated",
            _UPDATE,
        )
    return yes(f"all {len(ids)} events are in journald's catalog")


JOURNAL_CHECKS: tuple[Check[Findings], ...] = (
    Check(
        "journal_fields",
        "this program's Python can import `systemd.journal`",
        "without it events are plain lines, without MESSAGE_ID and fields",
        _fields,
    ),
    Check(
        "catalog",
        f"`{CATALOG}` is installed, is this version's, and is in journald's database",
        "`journalctl -x -u nodemend` is the runbook",
        _catalog,
    ),
)
