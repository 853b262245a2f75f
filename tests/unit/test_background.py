"""The worker behind a bounded queue."""

from __future__ import annotations

import threading

import pytest

from agent import background
from agent.background import Background


def test_items_are_handled_in_order() -> None:
    seen: list[int] = []
    worker = Background("test", seen.append, items_max=100)
    for number in range(50):
        assert worker.offer(number)

    assert worker.close(10)
    assert list(range(50)) == seen


def test_a_full_queue_refuses_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    entered = threading.Event()

    def hang(_item: int) -> None:
        entered.set()
        release.wait(30)

    worker = Background("test", hang, items_max=2)
    assert worker.offer(0)
    assert entered.wait(10)
    assert [True, True, False, False] == [worker.offer(number) for number in range(4)]
    assert 2 == worker.dropped_total
    assert worker.busy_seconds() > 0
    assert worker.failure() is None, "a moment is no failure"
    monkeypatch.setattr(background, "HANG_SECONDS", 0.0)
    assert "it hangs" in (worker.failure() or "")
    assert not worker.close(0.01), "it hangs, and is left behind"
    release.set()
    assert worker.close(10)


def test_a_machine_that_stood_still_is_nobodys_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    now, release, entered = [0.0], threading.Event(), threading.Event()
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def hang(_item: int) -> None:
        entered.set()
        release.wait(30)

    worker = Background("test", hang, items_max=2)
    worker.offer(0)
    assert entered.wait(10)
    now[0] += 3600.0
    assert worker.failure() is None, "nobody could look meanwhile"
    failures = []
    for _ in range(10):
        now[0] += 1.0
        failures.append(worker.failure())
    assert "it hangs" in (failures[-1] or "")
    release.set()
    assert worker.close(10)
    assert worker.busy_seconds() == 0


def test_an_item_that_fails_does_not_end_the_worker() -> None:
    seen: list[int] = []

    def handle(item: int) -> None:
        if item == 0:
            raise ValueError("zero")
        seen.append(item)

    worker = Background("test", handle, items_max=10)
    worker.offer(0)
    worker.offer(1)

    assert worker.close(10)
    assert [1] == seen


def test_after_closing_nothing_is_taken() -> None:
    worker = Background("test", print, items_max=10)

    assert worker.close(10)
    assert not worker.offer(1)
