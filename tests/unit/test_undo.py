"""A step that was cut off is taken back without the daemon, and only then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent import store
from agent.lock import lock
from agent.model.actions import SetUsbPower
from agent.model.state import Durable, StepInProgress
from agent.observe import clock
from agent.places import Places
from agent.undo import NOTHING, undo
from tests.builders import ADAPTER, CONNECTOR, LINK, watching

pytestmark = pytest.mark.allow_subprocess
# No machine has a USB device of this name: the child refuses, as after an unplug.
INVERSE = SetUsbPower("undo-1", "tune", CONNECTOR, 3, LINK.device, "99-99", 2, "auto")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(tmp_path / "state", tmp_path / "run")
    found.state.mkdir()
    found.runtime.mkdir()
    return found


def cut_off(boot_id: str) -> Durable:
    nic = replace(watching().state.nics[CONNECTOR], adapter=ADAPTER)
    step = StepInProgress("tune-1", "tune", "running", INVERSE)
    return Durable(boot_id, {CONNECTOR: replace(nic, step=step)}, ended=False)


def test_nothing_was_cut_off(places: Places) -> None:
    assert (True, NOTHING) == undo(places)
    assert (True, NOTHING) == undo(Places(places.state, places.runtime / "missing"))


def test_where_the_device_is_another_by_now_nothing_is_done_and_the_record_is_closed(
    places: Places,
) -> None:
    store.STATE.save(places.state, cut_off(clock.boot_id()))
    fine, words = undo(places)

    assert fine
    assert "not taken back, refused: /sys/bus/usb/devices/99-99/devnum is gone" in words
    durable = store.STATE.load(places.state)
    assert isinstance(durable, Durable)
    assert durable.nics[CONNECTOR].step is None
    assert not durable.ended, "a crash stays one"
    assert (True, NOTHING) == undo(places), "once"


def test_after_a_reboot_there_is_nothing_left_to_take_back(places: Places) -> None:
    store.STATE.save(places.state, cut_off("another boot"))

    assert (True, NOTHING) == undo(places)


def test_beside_a_daemon_it_keeps_its_hands_off(places: Places) -> None:
    store.STATE.save(places.state, cut_off(clock.boot_id()))
    with lock(places):
        fine, words = undo(places)

    assert (False, True) == (fine, words.startswith("a daemon runs"))
    durable = store.STATE.load(places.state)
    assert isinstance(durable, Durable)
    assert durable.nics[CONNECTOR].step is not None


def test_a_state_that_cannot_be_read_is_left_to_the_daemon(places: Places) -> None:
    (places.state / store.FILE_NAME).write_text("{")
    fine, words = undo(places)

    assert (False, True) == (fine, "damaged" in words)
    assert (places.state / store.FILE_NAME).exists()
