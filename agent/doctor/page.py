"""docs/doctor.md, from the tables of checks and notes."""

from __future__ import annotations

from agent.doctor.report import ALL_NOTES, CHECKS


def doctor_page() -> str:
    """The whole of docs/doctor.md."""
    rows = [
        "# nodemend doctor",
        "",
        "Generated from the tables in `agent/doctor/` by `make generated`.",
        "",
        "`nodemend doctor` says what would be watched, what is exposed, what is missing and what",
        "to do about it. It changes nothing, needs no daemon, and runs beside one. Run it as root:",
        "what it may not read is unknown. It exits with 1 if a check says no; what is unknown is",
        "told, and is no problem. `--json` is for programs.",
        "",
        "## Checks",
        "",
        "| check | it is fine when | why it matters |",
        "|---|---|---|",
    ]
    rows += [f"| {check.name} | {check.fine_when} | {check.why} |" for check in CHECKS]
    rows += ["", "## Good to know", "", "These are told, and none of them is a problem.", ""]
    rows += ["| note | what it tells |", "|---|---|"]
    rows += [f"| {note.name} | {note.tells} |" for note in ALL_NOTES]
    return "\n".join(rows) + "\n"
