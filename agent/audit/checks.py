"""All checks of the CNI's audit: one table."""

from __future__ import annotations

from agent.audit.audit import Audit
from agent.audit.check import Check
from agent.audit.checks_of_links import LINK_CHECKS
from agent.audit.checks_of_others import OTHER_CHECKS
from agent.audit.checks_of_restart import RESTART_CHECKS

AUDIT_CHECKS: tuple[Check[Audit], ...] = (*RESTART_CHECKS, *LINK_CHECKS, *OTHER_CHECKS)
