"""The text of /metrics, held against a golden file that `make lab` shows to promtool."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from agent.model.state import State
from agent.report.metrics import FAMILIES, PREFIX, exposition
from tests.unit.report.snapshots import a_busy_snapshot

GOLDEN = Path(__file__).parents[2] / "golden/metrics.prom"
UPDATE = "if that was meant: make generated, and read the difference"


def test_golden() -> None:
    text = exposition(a_busy_snapshot()).decode()

    assert GOLDEN.read_text() == text, UPDATE


def test_a_nic_that_is_forgotten_leaves_no_series() -> None:
    snapshot = replace(a_busy_snapshot(), state=State())

    assert "uplink" not in exposition(snapshot).decode()


def test_names_and_help_follow_the_conventions() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"[a-z][a-z_]*", family.name)
        assert family.help.endswith(".")
        assert (family.kind == "counter") == family.name.endswith("_total")
    assert len(FAMILIES) == len({family.name for family in FAMILIES})


def test_every_family_has_a_sample_in_the_golden_file() -> None:
    text = GOLDEN.read_text()
    for family in FAMILIES:
        assert re.search(rf"^{PREFIX}{family.name}{{", text, re.MULTILINE), family.name
