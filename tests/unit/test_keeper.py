"""When the state is saved: not at every message, and never too late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent import keeper as keeper_module
from agent.keeper import Keeper
from agent.model.facts import LinkGone, LinkSeen, TimeReached
from agent.model.state import Durable
from agent.store import Store, load
from tests.builders import LINK, flapped, watching


class Disk(Store):
    """Counts saves instead of writing; whether they fail is what the test says."""

    def __init__(self) -> None:
        self.saves: list[Durable] = []
        self.full = False

    def save(self, durable: Durable, done: Callable[[bool], None]) -> None:
        self.saves.append(durable)
        done(not self.full)


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(keeper_module, "time", clock)
    return clock


def test_counts_wait_for_each_other(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    keeper.keep(node.state)
    for times in range(1, 50):
        node.take(LinkSeen(node.at(), flapped(LINK, times)))
        keeper.keep(node.state)

    assert 1 == len(disk.saves)
    clock.seconds += keeper_module.SAVE_INTERVAL_SECONDS
    keeper.keep(node.state)
    assert 49 == next(iter(disk.saves[-1].nics.values())).flaps_total


@pytest.mark.usefixtures("clock")
def test_a_netdev_that_goes_does_not_wait() -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    keeper.keep(node.state)
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    keeper.keep(node.state)

    assert 2 == len(disk.saves)


def test_a_listing_that_changes_nothing_costs_no_write(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    keeper.keep(node.state)
    for _ in range(20):
        clock.seconds += 30
        node.take(TimeReached(node.at(), "listing"))
        node.take(LinkSeen(node.at(), LINK))
        node.list_links(LINK)
        keeper.keep(node.state)

    assert 1 == len(disk.saves)


def test_a_failed_save_is_tried_again(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    disk.full = True
    keeper.keep(node.state)
    keeper.keep(node.state)

    assert 1 == len(disk.saves)
    clock.seconds += keeper_module.RETRY_SECONDS
    keeper.keep(node.state)
    assert 2 == len(disk.saves)


def test_what_is_kept_can_be_loaded(tmp_path: Path) -> None:
    node, store = watching(), Store(tmp_path)
    Keeper(store).keep(node.state)

    assert store.close(10)
    assert keeper_module.durable_of(node.state) == load(tmp_path)
