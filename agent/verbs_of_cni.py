"""The verbs `cni audit` and `cni apply`: what exposes the CNI, and the files that end that."""

from __future__ import annotations

import argparse
import difflib
import json
import os
from pathlib import Path

from agent.act import files
from agent.act.files import Change
from agent.audit import drop_ins, guards, report
from agent.audit.audit import PROCESS, Audit, examine
from agent.audit.check import in_words
from agent.audit.checks import examined
from agent.audit.host import Host
from agent.audit.processes import running
from agent.audit.upgrades import pending
from agent.guarded_restart import restart_networkd
from agent.terminal import FINE, NO, complain, show

ROOT = Path("/")


def cni(options: argparse.Namespace) -> int:
    """The verb `cni`, and what follows it."""
    if options.which == "audit":
        return _audit(options)
    if options.remove:
        return _remove(options)
    return _apply(options)


def _audit(options: argparse.Namespace) -> int:
    try:
        found = examine(Host(ROOT), pending=pending)
    except OSError as error:
        return complain(in_words(error, is_root=_is_root()), NO)
    checked = examined(found, is_root=_is_root())
    if options.json:
        show(json.dumps(report.audit_as_object(found, checked), indent=1))
    else:
        show(report.audit_as_text(found, checked).rstrip())
    return FINE if checked.fine else NO


def _apply(options: argparse.Namespace) -> int:
    try:
        found = examine(Host(ROOT))
        changes = files.planned(ROOT, drop_ins.drop_ins(found))
        retiring = [
            file.path for file in guards.of(found) if options.retire and not _is_ours(file.path)
        ]
        if options.dry_run:
            return _show_diff(changes, retiring)
        files.carry_out(changes)
        files.retire(retiring)
    except files.ChangedByHand as foreign:
        words = "is in the way, and was written or changed by somebody else: nothing is written"
        return complain(f"{foreign} {words}", NO)
    except OSError as error:
        return complain(in_words(error, is_root=_is_root()), NO)
    for change in changes:
        show(f"wrote {change.path}")
    for path in retiring:
        show(f"retired {path}: it is {path.name}{files.RETIRED} now, which nobody reads")
    if not changes and not retiring:
        show("all of it stands already; nothing is written")
    return _after(found, options)


def _after(found: Audit, options: argparse.Namespace) -> int:
    if options.restart_networkd:
        return _restart()
    if found.is_running:
        show(
            "systemd-networkd reads it when it starts, and a start is what does the harm: "
            "`nodemend cni apply --restart-networkd` has it done, and puts back what it takes"
        )
    return FINE


def _restart() -> int:
    if PROCESS not in running(Host(ROOT)):
        return complain("systemd-networkd does not run: nothing is restarted", NO)
    try:
        outcome = restart_networkd()
    except OSError as error:
        return complain(f"systemd-networkd was not restarted: {error}", NO)
    if not outcome.lost:
        show("systemd-networkd was restarted; nothing was lost")
    else:
        back = len(outcome.lost) - len(outcome.missing)
        show(f"systemd-networkd was restarted; of {len(outcome.lost)} lost, {back} are back")
    for entry in outcome.lost:
        show(f"  {entry.kind} {entry.words}")
    for entry, reason in outcome.missing:
        complain(f"still missing: {entry.kind} {entry.words}: {reason}", NO)
    return NO if outcome.missing else FINE


def _remove(options: argparse.Namespace) -> int:
    try:
        changes, changed = files.planned_removal(ROOT)
        if options.dry_run:
            return _show_diff(changes, [])
        files.carry_out(changes)
        back = files.bring_back(ROOT)
    except OSError as error:
        return complain(in_words(error, is_root=_is_root()), NO)
    for change in changes:
        show(f"removed {change.path}")
    for path in back:
        show(f"brought back {path}")
    for path in changed:
        complain(f"{path} was changed by hand since, and stays", NO)
    if not changes and not changed and not back:
        show("nothing of ours is here")
    if options.restart_networkd:
        return _restart()
    return NO if changed else FINE


def _show_diff(changes: list[Change], retiring: list[Path]) -> int:
    for change in changes:
        before = (change.before or "").splitlines(keepends=True)
        after = (change.after or "").splitlines(keepends=True)
        old = "/dev/null" if change.before is None else str(change.path)
        new = "/dev/null" if change.after is None else str(change.path)
        show("".join(difflib.unified_diff(before, after, old, new)).rstrip())
    for path in retiring:
        show(f"would retire {path}")
    if not changes and not retiring:
        show("nothing would change")
    return FINE


def _is_ours(path: Path) -> bool:
    return drop_ins.was_ours(path.read_text(encoding="utf-8", errors="replace"))


def _is_root() -> bool:
    return os.geteuid() == 0
