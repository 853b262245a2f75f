"""The catalog: one page of the runbook for each verdict, and a line that always renders."""

from __future__ import annotations

import dataclasses
import re
import typing

import pytest

from agent.model.verdicts import (
    CarrierLost,
    SourceLostMessages,
    StepFailed,
    Verdict,
    WatchBegan,
)
from agent.report import catalog

VERDICTS = typing.get_args(Verdict)


def example(verdict: type) -> Verdict:
    """A verdict of this class with a value of the right type in each field."""
    values: dict[str, object] = {
        "str": "words",
        "int": 1,
        "bool": True,
        "tuple[str, ...]": ("one", "two"),
    }
    made = verdict(**{f.name: values[str(f.type)] for f in dataclasses.fields(verdict)})
    return typing.cast(Verdict, made)


def test_every_verdict_has_its_event() -> None:
    assert set(VERDICTS) == set(catalog.EVENTS)


def test_message_ids_and_names_are_unique() -> None:
    events = catalog.EVENTS.values()

    assert len(events) == len({event.message_id for event in events})
    assert len(events) == len({event.name for event in events})
    assert all(re.fullmatch(r"[0-9a-f]{32}", event.message_id) for event in events)


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: v.__name__)
def test_every_line_and_field_renders(verdict: type) -> None:
    line = catalog.line(example(verdict))
    fields = catalog.fields(example(verdict))

    assert "{" not in line
    assert "\n" not in line
    assert catalog.EVENTS[verdict].name == fields["NODEMEND_EVENT"]


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: v.__name__)
def test_the_runbook_names_only_fields_that_the_event_has(verdict: type) -> None:
    event = catalog.EVENTS[verdict]
    text = event.subject + event.cause + event.done + event.to_do
    named = set(re.findall(r"@([A-Z_]+)@", text))

    assert named <= catalog.fields(example(verdict)).keys()


def test_the_catalog_fits_a_terminal() -> None:
    lines = catalog.catalog_text().splitlines()

    assert max(len(line) for line in lines) <= 76


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (
            CarrierLost("uplink", "enx1", 2, 7, carrier=False),
            "enx1 on uplink lost its carrier 2 time(s), 7 in all",
        ),
        (
            WatchBegan("1.2.3", "observe", (), ("eno1 (igc)",), ()),
            "nodemend 1.2.3 watches nothing in mode observe. Other links: eno1 (igc). "
            "May not see: nothing",
        ),
        (
            SourceLostMessages("rtnetlink", "ENOBUFS"),
            "rtnetlink lost messages: ENOBUFS; everything is read anew",
        ),
        (
            StepFailed("uplink", "enx1", "tune", "tune-1", "refused", "gone"),
            "step tune on enx1 (uplink) refused: gone",
        ),
    ],
)
def test_lines_as_people_read_them(verdict: Verdict, line: str) -> None:
    assert line == catalog.line(verdict)
