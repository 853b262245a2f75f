"""Answers and notes, from tables to words."""

from __future__ import annotations

import dataclasses
import textwrap
from dataclasses import dataclass
from typing import Any

from agent.audit.answer import Answer, Outcome
from agent.audit.audit import Audit

COLUMNS = 96
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


def audit_as_object(audit: Audit, report: Report) -> dict[str, Any]:
    """`forecast` is null where nothing can be foretold; `unforetold` says why."""
    told = audit.forecast
    foretold = None if told is None else dataclasses.asdict(told)
    return {"forecast": foretold, "unforetold": audit.unforetold or None, **as_object(report)}


def audit_as_text(audit: Audit, report: Report) -> str:
    """What the next start of networkd would delete, all of it; then what the checks say."""
    told = audit.forecast
    if not audit.is_running:
        head = ["systemd-networkd does not run: it deletes nothing."]
    elif told is None:
        head = [f"What the next start of systemd-networkd deletes is not known: {audit.unforetold}"]
    elif told.is_empty:
        head = ["The next start of systemd-networkd deletes nothing of others."]
    else:
        head = ["The next start of systemd-networkd (each upgrade of systemd is one) deletes:"]
        kinds = (("rule", told.rules), ("route", told.routes), ("address", told.addresses))
        head += [f"  {kind} {words}" for kind, found in kinds for words in found]
    return "\n".join([*head, "", as_text(report)])


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
