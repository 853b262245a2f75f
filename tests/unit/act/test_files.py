"""Files of settings: written whole, taken back to the letter, and never somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.act.files import (
    Change,
    ChangedByHand,
    bring_back,
    carry_out,
    planned,
    planned_removal,
    retire,
)
from agent.audit import drop_ins
from agent.audit.drop_ins import DropIn

UPLINKS = DropIn(
    f"{drop_ins.NETWORK_DIRECTORY}/10-netplan-up.network.d/{drop_ins.UPLINK_NAME}",
    "[Network]\nKeepConfiguration=yes\n",
)
WANTED = (DropIn(drop_ins.CONF, "[Network]\nManageForeignRoutes=no\n"), UPLINKS)


def files(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


def test_what_is_written_stands_and_is_not_written_again(tmp_path: Path) -> None:
    carry_out(planned(tmp_path, WANTED))

    assert {d.name: d.text for d in WANTED} == files(tmp_path)
    assert 0o644 == (tmp_path / UPLINKS.name).stat().st_mode & 0o777
    assert [] == planned(tmp_path, WANTED)


def test_ours_is_replaced_by_what_is_wanted_now(tmp_path: Path) -> None:
    carry_out(planned(tmp_path, WANTED))
    other = DropIn(UPLINKS.name, "[Network]\nKeepConfiguration=static\n")
    changes = planned(tmp_path, [other])

    assert [Change(tmp_path / other.name, UPLINKS.text, other.text)] == changes


@pytest.mark.parametrize("text", ["", "[Network]\n", UPLINKS.text + "# mine\n"])
def test_what_somebody_else_wrote_is_in_the_way(tmp_path: Path, text: str) -> None:
    path = tmp_path / UPLINKS.name
    path.parent.mkdir(parents=True)
    path.write_text(text)

    with pytest.raises(ChangedByHand, match=drop_ins.UPLINK_NAME):
        planned(tmp_path, WANTED)
    assert text == path.read_text()


def test_it_is_taken_back_to_the_letter(tmp_path: Path) -> None:
    guard = tmp_path / drop_ins.NETWORK_DIRECTORY / "15-lxc.network"
    guard.parent.mkdir(parents=True)
    guard.write_text("[Match]\nName=lxc*\n")
    before = files(tmp_path)
    carry_out(planned(tmp_path, WANTED))
    retire([guard])
    assert not guard.exists()
    changes, changed = planned_removal(tmp_path)
    carry_out(changes)

    assert ([guard], []) == (bring_back(tmp_path), changed)
    assert before == files(tmp_path)
    assert not (tmp_path / UPLINKS.name).parent.exists(), "a directory that we made"


def test_what_was_changed_since_stays(tmp_path: Path) -> None:
    carry_out(planned(tmp_path, WANTED))
    path = tmp_path / UPLINKS.name
    path.write_text(UPLINKS.text + "# mine\n")
    changes, changed = planned_removal(tmp_path)
    carry_out(changes)

    assert [path] == changed
    assert [UPLINKS.name] == list(files(tmp_path))


def test_a_retired_file_whose_name_was_taken_stays_retired(tmp_path: Path) -> None:
    guard = tmp_path / drop_ins.NETWORK_DIRECTORY / "15-lxc.network"
    guard.parent.mkdir(parents=True)
    guard.write_text("old")
    (away,) = retire([guard])
    guard.write_text("new")

    assert [] == bring_back(tmp_path)
    assert ("new", "old") == (guard.read_text(), away.read_text())
