"""A row in the table of checks, and a row in the table of notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.audit.answer import Answer, unknown
from agent.doctor.findings import Findings
from agent.doctor.look import Unseen


@dataclass(frozen=True)
class Check:
    """A question that has a wrong answer. `find` may raise what reading the machine raises."""

    name: str
    fine_when: str  # for docs/doctor.md
    why: str
    find: Callable[[Findings], Answer]


@dataclass(frozen=True)
class Note:
    """Something worth knowing that is never wrong; None where there is nothing to say."""

    name: str
    tells: str  # for docs/doctor.md
    find: Callable[[Findings], str | None]


def answer_of(check: Check, findings: Findings) -> Answer:
    """What cannot be read is unknown, and a mistake of our own is no problem of the machine's."""
    try:
        return check.find(findings)
    except Unseen as unseen:
        return unknown(str(unseen))
    except OSError as error:
        return unknown(_in_words(error, findings))
    except Exception as error:  # noqa: BLE001  one check that fails must not hide the others
        return unknown(f"the check failed: {type(error).__name__}: {error}")


def words_of(note: Note, findings: Findings) -> str | None:
    """As `answer_of`: what cannot be read is said so."""
    try:
        return note.find(findings)
    except Unseen:
        return None  # the checks say so already
    except OSError as error:
        return f"unknown: {_in_words(error, findings)}"
    except Exception as error:  # noqa: BLE001  the same
        return f"unknown: {type(error).__name__}: {error}"


def _in_words(error: OSError, findings: Findings) -> str:
    as_root = "" if findings.machine.is_root else "; try as root"
    return f"{error.filename or 'reading'}: {error.strerror or error}{as_root}"
