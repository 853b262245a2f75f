"""Traffic counters of an interface, read from a tree like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model.identity import Counters
from agent.observe.hardware import Moved, read_counters

STATISTICS = {
    "rx_packets": 11,
    "tx_packets": 12,
    "rx_errors": 13,
    "tx_errors": 14,
    "rx_bytes": 15,
    "tx_bytes": 16,
    "rx_dropped": 17,
    "tx_dropped": 18,
}


def netdev(sysfs: Path, tx_timeouts: tuple[int, ...] = (0,)) -> Path:
    """Build interface 3, eth0, with a transmit queue for each number of timeouts."""
    target = sysfs / "devices/virtual/net/eth0"
    (target / "statistics").mkdir(parents=True)
    (target / "ifindex").write_text("3\n")
    (target / "carrier_changes").write_text("19\n")
    for name, value in STATISTICS.items():
        (target / "statistics" / name).write_text(f"{value}\n")
    (target / "queues/rx-0").mkdir(parents=True)
    for number, timeouts in enumerate(tx_timeouts):
        (target / f"queues/tx-{number}").mkdir()
        (target / f"queues/tx-{number}/tx_timeout").write_text(f"{timeouts}\n")
    (sysfs / "class/net").mkdir(parents=True)
    (sysfs / "class/net/eth0").symlink_to(target)
    return target


def test_the_counters_of_an_interface(tmp_path: Path) -> None:
    netdev(tmp_path)

    assert Counters(11, 12, 13, 14, 0, 15, 16, 17, 18, carrier_changes=19) == read_counters(
        3, "eth0", tmp_path
    )


@pytest.mark.parametrize(("queues", "timeouts"), [((), 0), ((2,), 2), ((1, 0, 4), 5)])
def test_the_timeouts_of_all_queues_are_summed(
    tmp_path: Path, queues: tuple[int, ...], timeouts: int
) -> None:
    netdev(tmp_path, queues)

    assert timeouts == read_counters(3, "eth0", tmp_path).tx_timeouts


def test_counters_have_64_bits(tmp_path: Path) -> None:
    (netdev(tmp_path) / "statistics/rx_packets").write_text(f"{2**64 - 1}\n")

    assert 2**64 - 1 == read_counters(3, "eth0", tmp_path).rx_packets


def test_a_name_that_means_another_interface_by_now(tmp_path: Path) -> None:
    netdev(tmp_path)

    with pytest.raises(Moved, match="eth0 is not interface 4 any more"):
        read_counters(4, "eth0", tmp_path)


@pytest.mark.parametrize("name", ["ifindex", *(f"statistics/{name}" for name in STATISTICS)])
def test_an_interface_that_vanishes_while_it_is_read(tmp_path: Path, name: str) -> None:
    (netdev(tmp_path) / name).unlink()

    with pytest.raises(OSError, match=name):
        read_counters(3, "eth0", tmp_path)
