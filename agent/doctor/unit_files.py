"""Units of systemd as files: installed, masked, enabled. Nobody is asked over D-Bus."""

from __future__ import annotations

from pathlib import Path

from agent.doctor.machine import Machine

_ENABLING = (".wants", ".requires")


def installed_units(machine: Machine, unit: str) -> list[Path]:
    """Where the unit's file is, the one that holds first. OSError."""
    return list(machine.systemd(f"system/{unit}"))


def enabling_links(machine: Machine, unit: str) -> list[Path]:
    """The links by which a target wants the unit. OSError."""
    return [
        directory / name / unit
        for directory in machine.systemd("system")
        for name in machine.names(directory)
        if name.endswith(_ENABLING) and machine.is_there(directory / name / unit)
    ]
