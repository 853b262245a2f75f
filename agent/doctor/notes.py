"""Notes: what is never wrong, and good to know all the same."""

from __future__ import annotations

import platform

from agent import __version__
from agent.audit.audit import PROCESS
from agent.audit.processes import running
from agent.audit.systemd_version import systemd_version
from agent.doctor.findings import Findings
from agent.doctor.note import Note

_IN_CHARGE = {PROCESS: "systemd-networkd", "NetworkManager": "NetworkManager"}
_KERNEL_PARAMETERS = ("usbcore.autosuspend", "usbcore.quirks", "log_buf_len")


def _versions(findings: Findings) -> str:
    machine = findings.machine
    kernel = (machine.text(machine.path("proc/sys/kernel/osrelease")) or "unknown").strip()
    systemd = systemd_version(machine) or "unknown"
    python = platform.python_version()
    return f"nodemend {__version__}, kernel {kernel}, systemd {systemd}, Python {python}"


def _in_charge(findings: Findings) -> str:
    processes = running(findings.machine)
    programs = [program for process, program in _IN_CHARGE.items() if process in processes]
    return f"{' and '.join(programs) or 'neither systemd-networkd nor NetworkManager'} runs here"


def _command_line(findings: Findings) -> str | None:
    machine = findings.machine
    words = (machine.text(machine.path("proc/cmdline")) or "").split()
    found = [word for word in words if word.partition("=")[0] in _KERNEL_PARAMETERS]
    return f"the kernel was started with {' '.join(found)}" if found else None


def _clock(findings: Findings) -> str:
    machine = findings.machine
    if machine.is_there(machine.path("run/systemd/timesync/synchronized")):
        return "systemd-timesyncd has set the clock since the boot"
    return (
        "whether the clock is right is unknown: systemd-timesyncd has not set it since the boot; "
        "another program (chrony, ntpd) may have"
    )


NOTES: tuple[Note, ...] = (
    Note("versions", "of nodemend, kernel, systemd and Python", _versions),
    Note("network_configured_by", "which of networkd and NetworkManager runs", _in_charge),
    Note(
        "kernel_parameters", f"those of {', '.join(_KERNEL_PARAMETERS)} that are set", _command_line
    ),
    Note("clock", "whether systemd-timesyncd has set the clock", _clock),
)
