"""Units of systemd as files: installed, masked, enabled. Nobody is asked over D-Bus."""

from __future__ import annotations

from pathlib import Path

from agent.audit.host import Host

_ENABLING = (".wants", ".requires")


def installed_units(host: Host, unit: str) -> list[Path]:
    """Where the unit's file is, the one that holds first. OSError."""
    return list(host.systemd(f"system/{unit}"))


def enabling_links(host: Host, unit: str) -> list[Path]:
    """The links by which a target wants the unit. OSError."""
    return [
        directory / name / unit
        for directory in host.systemd("system")
        for name in host.names(directory)
        if name.endswith(_ENABLING) and host.is_there(directory / name / unit)
    ]
