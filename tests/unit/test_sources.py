"""What is known of each source."""

from __future__ import annotations

import pytest

from agent.model.facts import LinkGone, LinksListed, ReadFailed, SourceGap
from agent.model.identity import Stamp
from agent.model.outputs import ListLinks
from agent.sources import JOURNAL, QUIET_SECONDS, READINGS, RTNETLINK, Sources

AT = Stamp(1, 2)


def test_facts_are_counted_where_they_come_from() -> None:
    sources = Sources()
    sources.count(LinkGone(AT, 3, "enx1"))
    sources.count(LinksListed(AT, 1, ()))
    known = sources.as_mapping()

    assert (1, 1, 0) == (
        known[RTNETLINK].facts_total,
        known[READINGS].facts_total,
        known[JOURNAL].facts_total,
    )


def test_a_gap_is_a_drop_and_the_next_listing_its_resync() -> None:
    sources = Sources()
    sources.count(SourceGap(AT, RTNETLINK, "ENOBUFS"))
    sources.count(LinksListed(AT, 2, ()))
    sources.count(LinksListed(AT, 3, ()))
    known = sources.as_mapping()[RTNETLINK]

    assert (1, 1) == (known.dropped_total, known.resyncs_total)
    assert AT.wall_ns == known.last_success_wall_ns


def test_a_failure_shows_and_goes_again() -> None:
    sources = Sources()
    sources.judge(READINGS, "it hangs")
    failed = sources.as_mapping()[READINGS]
    sources.judge(READINGS, None)

    assert ("failed", "it hangs") == (failed.condition, failed.detail)
    assert ("ok", "") == (
        sources.as_mapping()[READINGS].condition,
        sources.as_mapping()[READINGS].detail,
    )


def test_what_a_machine_does_not_have_cannot_fail() -> None:
    sources = Sources()
    sources.absent(JOURNAL, "no journald runs here")
    sources.judge(JOURNAL, "whatever")

    assert "not_applicable" == sources.as_mapping()[JOURNAL].condition


def test_listings_that_fail_are_a_failure_until_one_succeeds() -> None:
    sources = Sources()
    sources.count(ReadFailed(AT, ListLinks(1), "Input/output error"))
    sources.judge(READINGS, None)
    failed = sources.as_mapping()[READINGS]
    sources.count(LinksListed(AT, 2, ()))
    sources.judge(READINGS, None)

    assert ("failed", "Input/output error") == (failed.condition, failed.detail)
    assert "ok" == sources.as_mapping()[READINGS].condition


def test_a_change_is_told_once_and_one_that_flickers_not_every_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("agent.sources.time.monotonic", lambda: now[0])
    sources = Sources()
    assert [] == sources.changes()

    sources.judge(JOURNAL, "it hangs")
    assert [(JOURNAL, "it hangs")] == sources.changes()
    sources.judge(JOURNAL, None)
    assert [] == sources.changes(), "too soon"
    sources.judge(JOURNAL, "it hangs again")
    now[0] += QUIET_SECONDS
    assert [] == sources.changes(), "as it was told"
    sources.judge(JOURNAL, None)
    assert [(JOURNAL, None)] == sources.changes()
