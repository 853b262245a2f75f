"""Checks of any host: nothing else watches its USB NICs, and its journal outlives a reset."""

from __future__ import annotations

from agent.audit.answer import Answer, no, yes
from agent.audit.check import Check
from agent.audit.host import Host
from agent.audit.settings import last, merged
from agent.audit.unit_files import enabling_links, installed_units

# A loop in bash that looks at the NIC every five minutes. With Restart=on-failure it starts anew
# after each finding, and keeps a file of diagnostics each time.
RIVALS = ("usb-nic-monitor.service", "usb-nic-monitor.timer")


_JOURNAL = "var/log/journal"
_KEEP = "mkdir -p /var/log/journal && systemd-tmpfiles --create --prefix /var/log/journal"


def _rival(host: Host) -> Answer:
    found: list[str] = []
    units: list[str] = []
    doomed: list[str] = []
    for unit in RIVALS:
        files = installed_units(host, unit)
        links = enabling_links(host, unit)
        if files or links:
            state = "enabled" if links else "not enabled"
            places = ", ".join(host.shown(path) for path in files or links)
            found.append(f"{unit} is installed and {state} ({places})")
            units.append(unit)
            doomed += [host.shown(path) for path in files]
    if not found:
        return yes(f"no {' or '.join(RIVALS)}")
    return no(
        f"{'; '.join(found)}: a second watcher of the same NIC. The loop known by "
        "this name restarts once it has found something, and leaves a file each time",
        f"systemctl disable --now {' '.join(units)}; rm {' '.join(doomed)}; "
        "systemctl daemon-reload",
    )


def _persistent(host: Host) -> Answer:
    """journald.conf(5): Storage=auto, the default, writes to disk where the directory exists."""
    storage = last(merged(host, "journald.conf"), "Journal", "Storage")
    value = storage.value if storage else "auto"
    if value in ("volatile", "none"):
        where = f" in {host.shown(storage.path)}" if storage else ""
        return no(
            f"the journal is not kept: Storage={value}{where}; after a reset nobody knows what "
            "happened before it",
            "write Storage=persistent below [Journal] in "
            "/etc/systemd/journald.conf.d/90-persistent.conf, then "
            "`systemctl restart systemd-journald`",
        )
    if value == "persistent" or host.is_there(host.path(_JOURNAL)):
        return yes(f"the journal is kept (Storage={value})")
    return no(
        "the journal is only in memory, since there is no /var/log/journal; after a reset nobody "
        "knows what happened before it",
        f"{_KEEP} && journalctl --flush",
    )


HOST_CHECKS: tuple[Check[Host], ...] = (
    Check(
        "rival",
        f"no {' or '.join(f'`{unit}`' for unit in RIVALS)} is installed",
        "a second watcher of the same NIC: the loop known by that name restarts once it has found "
        "something, and leaves a file each time, until the disk is full",
        _rival,
    ),
    Check(
        "journal_kept",
        "the journal is on disk: `Storage=persistent`, or `auto` and there is /var/log/journal",
        "a node that hangs is reset, and what it said before is gone with its memory",
        _persistent,
    ),
)
