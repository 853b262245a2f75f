"""Checks: the service is installed, starts, runs, and has what it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from agent.audit.answer import Answer, no, unknown, yes
from agent.audit.check import Check
from agent.audit.settings import last, of_file
from agent.audit.systemd_version import systemd_version
from agent.audit.unit_files import enabling_links, installed_units
from agent.doctor.findings import Findings
from agent.observe.blind_spots import blind_spots
from agent.observe.kernel_log import KernelLog
from agent.report import control

UNIT = "nodemend.service"
OFF = "nodemend.off"  # ConditionKernelCommandLine= in the unit
SYSTEMD_MIN = 249
_AS_ROOT = "sudo nodemend doctor"


def _installed(findings: Findings) -> Answer:
    machine = findings.machine
    files = installed_units(machine, UNIT)
    if not files:
        return no(
            f"{UNIT} is not installed: nobody watches this node after a boot",
            "install it as README.md says (As a service)",
        )
    if machine.is_masked(files[0]):
        return no(f"{UNIT} is masked ({machine.shown(files[0])})", f"systemctl unmask {UNIT}")
    start = last(of_file(machine, files[0], "system"), "Service", "ExecStart")
    program = re.sub(r"^[-@:+!|]+", "", start.value).split()[0] if start and start.value else ""
    if program and not _has_program(machine.path(program.lstrip("/"))):
        return no(
            f"{UNIT} starts {program}, which is not there",
            "install nodemend there (README.md, As a service)",
        )
    if not enabling_links(machine, UNIT):
        return no(f"{UNIT} is not enabled: it does not start at boot", f"systemctl enable {UNIT}")
    return yes(f"{machine.shown(files[0])} is enabled")


def _has_program(path: Path) -> bool:
    """A link within /opt is followed; below another root it may lead out of it, and counts."""
    return path.is_symlink() or path.exists()


def _running(findings: Findings) -> Answer:
    machine = findings.machine
    socket = machine.places.control_socket
    try:
        status = control.ask(socket, "status")["status"]
    except control.NoDaemon as error:
        if isinstance(error.__cause__, PermissionError):
            return unknown(str(error), _AS_ROOT)
        start = f"systemctl start {UNIT}; journalctl -e -u {UNIT}"
        return no(str(error), start if installed_units(machine, UNIT) else "see service")
    except control.Refused as error:
        return unknown(f"the daemon refuses to say: {error}")
    return _health_of(status)


def _health_of(status: dict[str, Any]) -> Answer:
    failed = [
        f"{name}: {source['detail']}"
        for name, source in status["sources"].items()
        if source["condition"] == "failed"
    ]
    if failed:
        return no(
            f"the daemon runs, but has failed sources: {'; '.join(failed)}", "nodemend status"
        )
    words = f"nodemend {status['version']} runs, mode {status['mode']}"
    return yes(f"{words}, config {status['config'] or 'none'}, and all its sources deliver")


def _may_start(findings: Findings) -> Answer:
    machine = findings.machine
    line = machine.text(machine.path("proc/cmdline"))
    if line is None:
        return unknown("there is no /proc/cmdline")
    if any(word.partition("=")[0] == OFF for word in line.split()):
        return no(
            f"{OFF} is on the kernel's command line: the service does not start in this boot",
            f"remove {OFF} from the boot loader's configuration, then reboot; "
            "by hand, `nodemend run` starts all the same",
        )
    return yes(f"{OFF} is not on the kernel's command line")


def _systemd(findings: Findings) -> Answer:
    version = systemd_version(findings.machine)
    if version is None:
        return unknown("systemd's version cannot be told: no libsystemd-shared-*.so is found")
    if version < SYSTEMD_MIN:
        return no(
            f"systemd {version} is older than {SYSTEMD_MIN}: the unit's sandbox is untried there",
            "upgrade the distribution: Ubuntu 22.04 or later, Debian 12 or later",
        )
    return yes(f"systemd {version}")


def _permitted(findings: Findings) -> Answer:
    machine = findings.machine
    spots = blind_spots(machine.root)
    if not spots:
        return yes("CAP_NET_ADMIN and CAP_NET_RAW are here, and this is the host's network")
    if not machine.is_root:
        return unknown("; ".join(spots), _AS_ROOT)
    return no(
        "; ".join(spots),
        "run it on the node itself, as a service, not in a container; see CapabilityBoundingSet= "
        f"in `systemctl cat {UNIT}`",
    )


def _kernel_log(findings: Findings) -> Answer:
    machine = findings.machine
    path = machine.path("dev/kmsg")
    log = KernelLog(path)
    log.close()
    if not log.missing:
        return yes("/dev/kmsg can be read")
    if not machine.is_root and machine.is_there(path):
        return unknown(log.missing, _AS_ROOT)
    return no(
        f"{log.missing}: what the kernel says of the adapter is not counted",
        "the service needs CAP_SYSLOG and /dev/kmsg; in a container, pass the device in",
    )


SERVICE_CHECKS: tuple[Check[Findings], ...] = (
    Check(
        "service",
        f"`{UNIT}` is installed, not masked, enabled, and the program that it starts is there",
        "otherwise nobody watches after a boot",
        _installed,
    ),
    Check(
        "daemon",
        "a daemon answers on the control socket, and all its sources deliver",
        "a daemon that is blind says so here",
        _running,
    ),
    Check(
        "may_start",
        f"`{OFF}` is not on the kernel's command line",
        "it keeps the service from starting, on purpose; easily forgotten",
        _may_start,
    ),
    Check(
        "systemd",
        f"systemd is {SYSTEMD_MIN} or later",
        "the unit is tried with no older one",
        _systemd,
    ),
    Check(
        "permissions",
        "CAP_NET_ADMIN, CAP_NET_RAW, the host's network namespace and USB in /sys",
        "each of them that is missing makes a part of the watch blind",
        _permitted,
    ),
    Check(
        "kernel_log",
        "/dev/kmsg can be read",
        "the kernel's own words tell a cable from a driver that gave up",
        _kernel_log,
    ),
)
