"""All checks of the CNI's audit: one table."""

from __future__ import annotations

from agent.audit.audit import Audit
from agent.audit.check import Check, answer_of
from agent.audit.checks_of_links import LINK_CHECKS
from agent.audit.checks_of_others import OTHER_CHECKS
from agent.audit.checks_of_restart import RESTART_CHECKS
from agent.audit.report import Report

AUDIT_CHECKS: tuple[Check[Audit], ...] = (*RESTART_CHECKS, *LINK_CHECKS, *OTHER_CHECKS)


def examined(audit: Audit, *, is_root: bool) -> Report:
    """Each check's answer. Never raises."""
    answers = ((check.name, answer_of(check, audit, is_root=is_root)) for check in AUDIT_CHECKS)
    return Report(tuple(answers), notes=())
