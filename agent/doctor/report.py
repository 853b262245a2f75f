"""The examination, from the tables to a report."""

from __future__ import annotations

from pathlib import Path

from agent.audit.audit import Audit
from agent.audit.check import Check, answer_of
from agent.audit.checks import AUDIT_CHECKS
from agent.audit.checks_of_host import HOST_CHECKS
from agent.audit.host import Host
from agent.audit.report import Report
from agent.doctor.checks_of_configuration import CONFIGURATION_CHECKS
from agent.doctor.checks_of_gpus import GPU_CHECKS
from agent.doctor.checks_of_journal import JOURNAL_CHECKS
from agent.doctor.checks_of_nics import NIC_CHECKS, NIC_NOTES
from agent.doctor.checks_of_service import SERVICE_CHECKS
from agent.doctor.checks_of_storage import STORAGE_CHECKS
from agent.doctor.findings import Findings, gather
from agent.doctor.machine import Machine, machine_at
from agent.doctor.note import Note, words_of
from agent.doctor.notes import NOTES


def _of_machine(check: Check[Host]) -> Check[Findings]:
    """A check of any host, as one of the doctor's."""
    return Check(
        check.name, check.fine_when, check.why, lambda findings: check.find(findings.machine)
    )


def _of_audit(check: Check[Audit]) -> Check[Findings]:
    """A check of the CNI's audit, as one of the doctor's."""
    return Check(
        check.name, check.fine_when, check.why, lambda findings: check.find(findings.audit)
    )


# In this order they are told: what it is all about first.
CHECKS: tuple[Check[Findings], ...] = (
    *NIC_CHECKS,
    *(_of_machine(check) for check in HOST_CHECKS),
    *(_of_audit(check) for check in AUDIT_CHECKS),
    *GPU_CHECKS,
    *CONFIGURATION_CHECKS,
    *SERVICE_CHECKS,
    *STORAGE_CHECKS,
    *JOURNAL_CHECKS,
)
ALL_NOTES: tuple[Note, ...] = (*NIC_NOTES, *NOTES)


def examine(root: Path, config_path: Path | None) -> Report:
    """Look at the machine below `root` once, without changing anything. Never raises.

    `config_path`: None for the file that the service reads. Takes ten seconds at most for the
    kernel, and as many for the daemon; where all is well less than one.
    """
    return examine_machine(machine_at(root, config_path))


def examine_machine(machine: Machine) -> Report:
    findings = gather(machine)
    notes = ((note.name, words_of(note, findings)) for note in ALL_NOTES)
    return Report(
        tuple(
            (check.name, answer_of(check, findings, is_root=machine.is_root)) for check in CHECKS
        ),
        tuple((name, words) for name, words in notes if words is not None),
    )
