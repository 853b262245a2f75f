"""A row in the table of notes; those in the table of checks are agent/audit/check.py's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.audit.answer import NotKnown
from agent.audit.check import in_words
from agent.doctor.findings import Findings


@dataclass(frozen=True)
class Note:
    """Something worth knowing that is never wrong; None where there is nothing to say."""

    name: str
    tells: str  # for docs/doctor.md
    find: Callable[[Findings], str | None]


def words_of(note: Note, findings: Findings) -> str | None:
    """As for a check: what cannot be read is said so."""
    try:
        return note.find(findings)
    except NotKnown:
        return None  # the checks say so already
    except OSError as error:
        return f"unknown: {in_words(error, is_root=findings.machine.is_root)}"
    except Exception as error:  # noqa: BLE001  the same
        return f"unknown: {type(error).__name__}: {error}"
