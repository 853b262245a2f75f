"""When the state is saved: not at every message, and never too late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent import keeper as keeper_module
from agent.keeper import Keeper
from agent.model.facts import KernelLogRead, LinkGone, LinkSeen, TimeReached
from agent.model.state import Durable
from agent.store import STATE, Store
from tests.builders import LINK, flapped, watching


class Disk(Store[Durable]):
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


@pytest.mark.usefixtures("clock")
def test_a_link_that_comes_up_for_the_first_time_does_not_wait() -> None:
    """Set down by somebody while the daemon is away, it must not be taken for one left down."""
    disk, node = Disk(), watching(replace(LINK, admin_up=False, carrier=False, carrier_up_count=0))
    keeper = Keeper(disk)
    keeper.keep(node.state)
    node.take(LinkSeen(node.at(), LINK))
    keeper.keep(node.state)

    assert 2 == len(disk.saves)


def test_a_listing_that_changes_nothing_costs_no_write(clock: Clock) -> None:
    disk, node = Disk(), watching()
    node.take(TimeReached(node.at(), "listing"))  # notes the day's totals
    node.list_links(LINK)
    keeper = Keeper(disk)
    keeper.keep(node.state)
    for _ in range(20):
        clock.seconds += 30
        node.take(TimeReached(node.at(), "listing"))
        node.take(LinkSeen(node.at(), LINK))
        node.list_links(LINK)
        keeper.keep(node.state)

    assert 1 == len(disk.saves)


def test_how_far_the_log_was_read_is_saved_now_and_then(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    keeper.keep(node.state)
    for sequence in range(1, 121):  # every half minute, for an hour
        clock.seconds += 30
        node.take(KernelLogRead(node.at(), sequence, 0, ()))
        keeper.keep(node.state)

    assert 1 + 6 == len(disk.saves)


def test_a_day_of_flapping_is_bounded_by_the_purse(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    for second in range(0, 6 * 3600, 2):
        clock.seconds += 2
        node.take(LinkSeen(node.at(), flapped(LINK, 1 + second)))
        keeper.keep(node.state)

    hours = 6
    assert hours * 60 <= len(disk.saves) <= hours * 60 + keeper_module.PURSE_SAVES_MAX


def test_a_nic_that_is_replugged_for_hours_is_bounded_as_well(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    for ifindex in range(3, 3603):
        clock.seconds += 1
        here = replace(LINK, ifindex=ifindex)
        node.take(LinkSeen(node.at(), here))
        node.read_adapter(here)
        keeper.keep(node.state)
        node.take(LinkGone(node.at(), ifindex, LINK.device))
        keeper.keep(node.state)

    assert len(disk.saves) <= 60 + keeper_module.PURSE_SAVES_MAX + 1


def test_after_an_hour_of_flapping_an_unplug_is_saved_at_once(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    for second in range(0, 3600, 2):
        clock.seconds += 2
        node.take(LinkSeen(node.at(), flapped(LINK, 1 + second)))
        keeper.keep(node.state)
    before = len(disk.saves)
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    keeper.keep(node.state)

    assert before + 1 == len(disk.saves)


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


def test_the_kernels_log_does_not_put_the_retry_off(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    disk.full = True
    keeper.keep(node.state)
    node.take(KernelLogRead(node.at(), 7, 0, ()))
    clock.seconds += keeper_module.RETRY_SECONDS
    keeper.keep(node.state)

    assert 2 == len(disk.saves)


def test_a_disk_that_stays_full_is_not_worn_out_either(clock: Clock) -> None:
    disk, node = Disk(), watching()
    keeper = Keeper(disk)
    disk.full = True
    for _second in range(24 * 3600):
        clock.seconds += 1
        keeper.keep(node.state)

    assert len(disk.saves) <= keeper_module.PURSE_SAVES_MAX + 24 * 60


def test_what_is_kept_can_be_loaded(tmp_path: Path) -> None:
    node, store = watching(), Store(tmp_path, STATE)
    Keeper(store).keep(node.state)

    assert store.close(10)
    assert keeper_module.durable_of(node.state) == STATE.load(tmp_path)
