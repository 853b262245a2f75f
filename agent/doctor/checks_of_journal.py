"""Checks: the journal outlives a reset, has the fields, and explains each line."""

from __future__ import annotations

import importlib

from agent.audit.answer import Answer, no, yes
from agent.audit.check import Check
from agent.audit.settings import last, merged
from agent.doctor.findings import Findings
from agent.report import catalog

CATALOG = "nodemend.catalog"
DATABASE = "var/lib/systemd/catalog/database"
DATABASE_BYTES_MAX = 64 * 1024 * 1024
_JOURNAL = "var/log/journal"
_KEEP = "mkdir -p /var/log/journal && systemd-tmpfiles --create --prefix /var/log/journal"
_UPDATE = "journalctl --update-catalog"


def _persistent(findings: Findings) -> Answer:
    """journald.conf(5): Storage=auto, the default, writes to disk where the directory exists."""
    machine = findings.machine
    storage = last(merged(machine, "journald.conf"), "Journal", "Storage")
    value = storage.value if storage else "auto"
    if value in ("volatile", "none"):
        where = f" in {machine.shown(storage.path)}" if storage else ""
        return no(
            f"the journal is not kept: Storage={value}{where}; after a reset nobody knows what "
            "happened before it",
            "write Storage=persistent below [Journal] in "
            "/etc/systemd/journald.conf.d/90-persistent.conf, then "
            "`systemctl restart systemd-journald`",
        )
    if value == "persistent" or machine.is_there(machine.path(_JOURNAL)):
        return yes(f"the journal is kept (Storage={value})")
    return no(
        "the journal is only in memory, since there is no /var/log/journal; after a reset nobody "
        "knows what happened before it",
        f"{_KEEP} && journalctl --flush",
    )


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
        "journal_kept",
        "the journal is on disk: `Storage=persistent`, or `auto` and there is /var/log/journal",
        "a node that hangs is reset, and what it said before is gone with its memory",
        _persistent,
    ),
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
