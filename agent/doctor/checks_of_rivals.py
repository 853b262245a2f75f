"""Check: nothing else on the node watches USB NICs and acts by itself."""

from __future__ import annotations

from agent.audit.answer import Answer, no, yes
from agent.audit.check import Check
from agent.doctor.findings import Findings
from agent.doctor.unit_files import enabling_links, installed_units

# A loop in bash that looks at the NIC every five minutes. With Restart=on-failure it starts anew
# after each finding, and keeps a file of diagnostics each time.
RIVALS = ("usb-nic-monitor.service", "usb-nic-monitor.timer")


def _rival(findings: Findings) -> Answer:
    machine = findings.machine
    found: list[str] = []
    units: list[str] = []
    doomed: list[str] = []
    for unit in RIVALS:
        files = installed_units(machine, unit)
        links = enabling_links(machine, unit)
        if files or links:
            state = "enabled" if links else "not enabled"
            places = ", ".join(machine.shown(path) for path in files or links)
            found.append(f"{unit} is installed and {state} ({places})")
            units.append(unit)
            doomed += [machine.shown(path) for path in files]
    if not found:
        return yes(f"no {' or '.join(RIVALS)}")
    return no(
        f"{'; '.join(found)}: a second watcher of the same NIC. The loop known by "
        "this name restarts once it has found something, and leaves a file each time",
        f"systemctl disable --now {' '.join(units)}; rm {' '.join(doomed)}; "
        "systemctl daemon-reload",
    )


RIVAL_CHECKS: tuple[Check[Findings], ...] = (
    Check(
        "rival",
        f"no {' or '.join(f'`{unit}`' for unit in RIVALS)} is installed",
        "a second watcher of the same NIC: the loop known by that name restarts once it has found "
        "something, and leaves a file each time, until the disk is full",
        _rival,
    ),
)
