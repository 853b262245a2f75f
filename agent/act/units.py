"""Restarts systemd units, those that run, once the link that they hold on to is back."""

from __future__ import annotations

import re
from pathlib import Path

from agent.act import command, evidence
from agent.act.evidence import Refused
from agent.model.actions import RestartUnits

_UNIT = re.compile(r"[A-Za-z0-9:_.@-]+\.service", re.ASCII)


def restart(action: RestartUnits, sysfs: Path, _dev: Path) -> None:
    """Ask systemd for it; how long they take to start is theirs. Raises Refused or OSError."""
    evidence.link(action, sysfs)
    for unit in action.units:
        if not _UNIT.fullmatch(unit):
            raise Refused(f"{unit!r} is no service")
    # try-restart: what somebody stopped stays stopped (systemctl(1)).
    command.run("systemctl", "--no-block", "try-restart", "--", *action.units)
