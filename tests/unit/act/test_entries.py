"""Entries are put back in order, off the loop; what became of each is always said."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from agent.act import entries, link_setting
from agent.act.entries import PuttingBack
from agent.model.cni import Entry
from agent.model.facts_of_cni import Attempt
from agent.model.outputs_of_cni import PutBack

RULE = Entry("rule", "00", 2, "9: from all lookup 2004")
ROUTE = Entry("route", "01", 2, "10.42.0.0/24", ifindex=5)
ACTION = PutBack(7, (RULE, ROUTE))

Heard = list[tuple[PutBack, tuple[Attempt, ...]]]


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def ended(heard: Heard) -> tuple[Callable[[PutBack, tuple[Attempt, ...]], None], threading.Event]:
    """What is told, and when something was."""
    is_told = threading.Event()

    def done(action: PutBack, attempts: tuple[Attempt, ...]) -> None:
        heard.append((action, attempts))
        is_told.set()

    return done, is_told


def test_what_became_of_each_is_told_from_another_thread(
    heard: Heard,
    ended: tuple[Callable[[PutBack, tuple[Attempt, ...]], None], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, is_told = ended
    attempts = (Attempt("00", ""), Attempt("01", "Network is down", waits=True))
    monkeypatch.setattr(entries, "put_back", lambda _entries: attempts)
    putting_back = PuttingBack(done)
    putting_back.start(ACTION)

    assert is_told.wait(10)
    assert [(ACTION, attempts)] == heard
    putting_back.close()


def test_where_the_kernel_cannot_be_asked_all_of_it_failed(
    heard: Heard,
    ended: tuple[Callable[[PutBack, tuple[Attempt, ...]], None], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_entries: object) -> tuple[Attempt, ...]:
        raise OSError(24, "Too many open files")

    done, is_told = ended
    monkeypatch.setattr(entries, "put_back", refuse)
    putting_back = PuttingBack(done)
    putting_back.start(ACTION)

    assert is_told.wait(10)
    ((_, attempts),) = heard
    assert [("00", "Too many open files"), ("01", "Too many open files")] == [
        (attempt.payload, attempt.failure) for attempt in attempts
    ]
    putting_back.close()


def test_more_than_the_queue_holds_is_refused_and_said(
    heard: Heard,
    ended: tuple[Callable[[PutBack, tuple[Attempt, ...]], None], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, is_told = ended
    held = threading.Event()

    def hang(_entries: object) -> tuple[Attempt, ...]:
        held.wait(10)
        return ()

    monkeypatch.setattr(entries, "put_back", hang)
    putting_back = PuttingBack(done)
    for _ in range(entries.QUEUE_MAX + 2):
        putting_back.start(ACTION)

    assert is_told.wait(10)
    assert "are waiting already" in heard[0][1][0].failure
    held.set()
    putting_back.close()


def test_what_is_nothing_that_a_link_is_like_is_refused() -> None:
    with pytest.raises(ValueError, match="a rule is nothing that a link is like"):
        link_setting.body(Entry("rule", "5 rule x", 0, "x", ifindex=5, device="lxc1", value="x"))


@pytest.mark.parametrize(("kind", "value"), [("mtu", "many"), ("mac", "zz:zz"), ("master", "")])
def test_a_value_that_is_none_is_refused(kind: str, value: str) -> None:
    entry = Entry(kind, "p", 0, "x", ifindex=5, device="lxc1", value=value)  # type: ignore[arg-type]

    with pytest.raises(ValueError):  # noqa: PT011  int's and bytes.fromhex's own words
        link_setting.body(entry)
