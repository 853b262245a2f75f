"""The doctor in one file: what exposes this host, before anything is installed on it.

`make doctor-file` puts this room alone into dist/nodemend-doctor.pyz; it needs Python and nothing
else, reads, and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from agent.audit.audit import examine
from agent.audit.check import answer_of, in_words
from agent.audit.checks import examined
from agent.audit.checks_of_host import HOST_CHECKS
from agent.audit.host import Host
from agent.audit.report import Report, audit_as_object, audit_as_text
from agent.audit.upgrades import pending

FINE, NO = 0, 1


def main() -> int:
    """Exit 0 fine, 1 a check says no."""
    parser = argparse.ArgumentParser(
        prog="nodemend-doctor", description="What exposes this host; it changes nothing."
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    is_root = os.geteuid() == 0
    host = Host(Path("/"))
    try:
        found = examine(host, pending=pending)
    except OSError as error:
        sys.stderr.write(f"nodemend-doctor: {in_words(error, is_root=is_root)}\n")
        return NO
    of_host = ((check.name, answer_of(check, host, is_root=is_root)) for check in HOST_CHECKS)
    report = Report((*of_host, *examined(found, is_root=is_root).answers), notes=())
    if options.json:
        sys.stdout.write(json.dumps(audit_as_object(found, report), indent=1) + "\n")
    else:
        sys.stdout.write(audit_as_text(found, report))
    return FINE if report.fine else NO


if __name__ == "__main__":
    sys.exit(main())
