"""`nodemend doctor`: what would be watched, what is exposed, what is missing, how to fix it.

Works without a daemon, and beside one; reads files and asks the kernel once, changes nothing.
"""

from __future__ import annotations

from agent.audit.report import Report, as_object, as_text
from agent.doctor.page import doctor_page
from agent.doctor.report import examine

__all__ = ["Report", "as_object", "as_text", "doctor_page", "examine"]
