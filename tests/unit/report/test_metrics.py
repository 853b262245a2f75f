"""The text of /metrics, held against a golden file that `make lab` shows to promtool."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from agent.codec import from_json, to_json
from agent.model.incident import Incident
from agent.model.state import State
from agent.report.metrics import FAMILIES, PREFIX, exposition
from tests.unit.report.snapshots import a_busy_snapshot, an_incident_each

GOLDEN = Path(__file__).parents[2] / "golden/metrics.prom"
UPDATE = "if that was meant: make generated, and read the difference"


def test_golden() -> None:
    text = exposition(a_busy_snapshot()).decode()

    assert GOLDEN.read_text() == text, UPDATE


def test_a_nic_that_is_forgotten_leaves_no_series() -> None:
    snapshot = replace(a_busy_snapshot(), state=State())

    assert "uplink" not in exposition(snapshot).decode()


def test_incidents_outlast_a_scrape_and_a_restart() -> None:
    """What Prometheus reads after the outage: the latest of each verdict, from what was saved."""
    closed, opened = an_incident_each()
    settling = replace(opened, verdict="recovered")
    young = replace(opened, kept=False)

    def shown(*incidents: Incident) -> list[str]:
        snapshot = a_busy_snapshot()
        nic = replace(next(iter(snapshot.state.nics.values())), nic="a", incidents=incidents)
        saved = from_json(to_json(replace(snapshot.state, nics={"a": nic})), State)
        text = exposition(replace(snapshot, state=saved)).decode()
        series = r'^nodemend_incident_(\w+)_timestamp_seconds{nic="a",(verdict="\w+")}'
        return [" ".join(found) for found in re.findall(series, text, re.MULTILINE)]

    recovered = ['start verdict="recovered"', 'end verdict="recovered"']
    both = [recovered[0], 'start verdict="open"', recovered[1]]
    assert both == shown(closed, opened)
    assert both == shown(closed, settling)
    assert recovered == shown(closed, young)


def test_names_and_help_follow_the_conventions() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"[a-z][a-z_]*", family.name)
        assert family.help.endswith(".")
        assert (family.kind == "counter") == family.name.endswith("_total")
    assert len(FAMILIES) == len({family.name for family in FAMILIES})


def test_every_family_has_a_sample_in_the_golden_file() -> None:
    text = GOLDEN.read_text()
    for family in FAMILIES:
        assert re.search(rf"^{PREFIX}{family.name}(_bucket)?[{{ ]", text, re.MULTILINE), family.name
