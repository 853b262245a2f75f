"""What a person reads, what a program reads, and the page that says what is checked."""

from __future__ import annotations

import json
from pathlib import Path

from agent.audit.answer import no, unknown, yes
from agent.audit.report import COLUMNS, Report
from agent.doctor import as_object, as_text, doctor_page
from agent.doctor.report import ALL_NOTES, CHECKS
from tests.unit.doctor.node import sound_node

COMMAND = "mkdir -p /var/log/journal && " + "x" * 120

REPORT = Report(
    (
        ("first", yes("all is well")),
        ("second", unknown("/proc/cmdline: Permission denied", "sudo nodemend doctor")),
        ("third", no("it does not start on it:\nconfig.yaml:3: mode: expected observe", COMMAND)),
    ),
    (("clock", "systemd-timesyncd has set the clock since the boot " * 3),),
)


def test_what_is_wrong_comes_first_with_what_to_do() -> None:
    lines = as_text(REPORT).splitlines()

    assert [
        "WRONG (1)",
        "  third: it does not start on it:",
        "    config.yaml:3: mode: expected observe",
        "    do: mkdir -p /var/log/journal &&",
    ] == lines[:4]
    assert [
        "UNKNOWN (1)",
        "  second: /proc/cmdline: Permission denied",
        "    do: sudo nodemend doctor",
        "",
        "FINE (1)",
        "  first: all is well",
    ] == lines[6:12]


def test_lines_fit_the_screen_but_no_word_is_cut() -> None:
    lines = as_text(REPORT).splitlines()

    assert ["x" * 120] == [line.strip() for line in lines if len(line) > COLUMNS]


def test_exit_status_and_json_follow_the_answers() -> None:
    found = json.loads(json.dumps(as_object(REPORT)))

    assert (False, False) == (REPORT.fine, found["fine"])
    assert {
        "check": "second",
        "outcome": "unknown",
        "words": "/proc/cmdline: Permission denied",
        "to_do": "sudo nodemend doctor",
    } == found["checks"][1]


def test_what_is_unknown_is_no_problem() -> None:
    assert Report(REPORT.answers[:2], ()).fine


def test_a_whole_report_can_be_written_both_ways(tmp_path: Path) -> None:
    report = sound_node(tmp_path).examine()

    assert json.dumps(as_object(report))
    assert all(f"  {name}: " in as_text(report) for name, _ in report.answers)


def test_the_page_names_every_check_and_note_once() -> None:
    page = doctor_page()

    names = [*(check.name for check in CHECKS), *(note.name for note in ALL_NOTES)]
    assert [1] * len(names) == [page.count(f"| {name} |") for name in names]
