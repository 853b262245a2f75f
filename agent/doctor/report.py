"""The examination, from the tables to words."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.audit.answer import Answer, Outcome
from agent.audit.audit import Audit
from agent.audit.check import Check, answer_of
from agent.audit.checks import AUDIT_CHECKS
from agent.doctor.checks_of_configuration import CONFIGURATION_CHECKS
from agent.doctor.checks_of_gpus import GPU_CHECKS
from agent.doctor.checks_of_journal import JOURNAL_CHECKS
from agent.doctor.checks_of_nics import NIC_CHECKS, NIC_NOTES
from agent.doctor.checks_of_rivals import RIVAL_CHECKS
from agent.doctor.checks_of_service import SERVICE_CHECKS
from agent.doctor.checks_of_storage import STORAGE_CHECKS
from agent.doctor.findings import Findings, gather
from agent.doctor.machine import Machine, machine_at
from agent.doctor.note import Note, words_of
from agent.doctor.notes import NOTES

COLUMNS = 96


def _of_findings(check: Check[Audit]) -> Check[Findings]:
    """A check of the CNI's audit, as one of the doctor's."""
    return Check(
        check.name, check.fine_when, check.why, lambda findings: check.find(findings.audit)
    )


# In this order they are told: what it is all about first.
CHECKS: tuple[Check[Findings], ...] = (
    *NIC_CHECKS,
    *RIVAL_CHECKS,
    *(_of_findings(check) for check in AUDIT_CHECKS),
    *GPU_CHECKS,
    *CONFIGURATION_CHECKS,
    *SERVICE_CHECKS,
    *STORAGE_CHECKS,
    *JOURNAL_CHECKS,
)
ALL_NOTES: tuple[Note, ...] = (*NIC_NOTES, *NOTES)

_HEADINGS: tuple[tuple[Outcome, str], ...] = (
    ("no", "WRONG"),
    ("unknown", "UNKNOWN"),
    ("yes", "FINE"),
)


@dataclass(frozen=True)
class Report:
    """Each check's answer and each note, by name."""

    answers: tuple[tuple[str, Answer], ...]
    notes: tuple[tuple[str, str], ...]

    @property
    def fine(self) -> bool:
        """Whether no check says no; what is unknown is no problem."""
        return all(answer.outcome != "no" for _, answer in self.answers)


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


def as_object(report: Report) -> dict[str, Any]:
    """For programs."""
    return {
        "fine": report.fine,
        "checks": [
            {
                "check": name,
                "outcome": answer.outcome,
                "words": answer.words,
                "to_do": answer.to_do or None,
            }
            for name, answer in report.answers
        ],
        "notes": dict(report.notes),
    }


def as_text(report: Report) -> str:
    """For people: what is wrong first, with what to do; then what is unknown; then the rest."""
    lines: list[str] = []
    for outcome, heading in _HEADINGS:
        found = [(name, answer) for name, answer in report.answers if answer.outcome == outcome]
        if found:
            lines += [f"{heading} ({len(found)})", *_wrapped(found), ""]
    if report.notes:
        lines += ["GOOD TO KNOW", *(line for note in report.notes for line in _entry(*note))]
    return "\n".join(lines).rstrip() + "\n"


def _wrapped(found: list[tuple[str, Answer]]) -> list[str]:
    lines: list[str] = []
    for name, answer in found:
        lines += _entry(name, answer.words)
        if answer.to_do:
            lines += _paragraph(f"do: {answer.to_do}", "    ", "        ")
    return lines


def _entry(name: str, words: str) -> list[str]:
    first, *others = words.splitlines() or [""]
    lines = _paragraph(f"{name}: {first}", "  ", "    ")
    return [*lines, *(line for other in others for line in _paragraph(other, "    ", "      "))]


def _paragraph(text: str, first: str, then: str) -> list[str]:
    """Commands and paths stay whole, even where they are too long for the line."""
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
