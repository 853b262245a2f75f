"""Files that are made from tables are as their tables say."""

from __future__ import annotations

from pathlib import Path

from tools.generate import GENERATED, ROOT, stale


def test_nothing_generated_is_stale() -> None:
    assert [] == stale(), "run `make generated`, and read the difference"


def test_a_change_by_hand_is_noticed(tmp_path: Path) -> None:
    for name in GENERATED:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    changed = tmp_path / "docs/events.md"
    changed.write_text(changed.read_text() + "by hand\n")

    assert ["docs/events.md"] == stale(tmp_path)
