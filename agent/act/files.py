"""Writes, takes back and sets aside files of settings: whole or not at all, and only our own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.audit import drop_ins
from agent.audit.drop_ins import DropIn

RETIRED = ".retired-by-nodemend"  # no suffix that networkd or udev would read
_MODE = 0o644


@dataclass(frozen=True)
class Change:
    """What a file is, and what it is to be. None: it is not there."""

    path: Path
    before: str | None
    after: str | None


class ChangedByHand(Exception):
    """Files that are in the way, and were written or changed by somebody else."""


def planned(root: Path, wanted: Iterable[DropIn]) -> list[Change]:
    """What applying changes; nothing where it stands already. OSError, ChangedByHand."""
    found = [Change(root / d.name, _text(root / d.name), d.text) for d in wanted]
    foreign = [c for c in found if c.before is not None and not drop_ins.is_ours(c.before)]
    if foreign:
        raise ChangedByHand(", ".join(str(change.path) for change in foreign))
    return [change for change in found if change.before != change.after]


def planned_removal(root: Path) -> tuple[list[Change], list[Path]]:
    """All of ours, and those that were changed by hand since, which stay. OSError."""
    ours: list[Change] = []
    changed: list[Path] = []
    for path in _all_of_ours(root):
        text = _text(path)
        if text is not None and drop_ins.is_ours(text):
            ours.append(Change(path, text, None))
        elif text is not None and drop_ins.was_ours(text):
            changed.append(path)
    return ours, changed


def carry_out(changes: Iterable[Change]) -> None:
    """Write, or take away. OSError."""
    for change in changes:
        if change.after is None:
            change.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty: others have files in it
                change.path.parent.rmdir()
        else:
            _write(change.path, change.after)


def retire(paths: Iterable[Path]) -> list[Path]:
    """Rename files so that nobody reads them any more; their new names. OSError."""
    retired = []
    for path in paths:
        away = path.with_name(path.name + RETIRED)
        path.rename(away)
        retired.append(away)
    return retired


def bring_back(root: Path) -> list[Path]:
    """Those that were retired, under their old names. OSError."""
    back = []
    for path in sorted((root / drop_ins.NETWORK_DIRECTORY).glob(f"*{RETIRED}")):
        old = path.with_name(path.name.removesuffix(RETIRED))
        if not old.exists():
            path.rename(old)
            back.append(old)
    return back


def _all_of_ours(root: Path) -> list[Path]:
    fixed = [root / name for name in _FIXED]
    pattern = f"*.network.d/{drop_ins.UPLINK_NAME}"
    return [*fixed, *sorted((root / drop_ins.NETWORK_DIRECTORY).glob(pattern))]


_FIXED = (
    drop_ins.CONF,
    drop_ins.NETWORK,
    drop_ins.LINK,
    drop_ins.SYSCTL,
    drop_ins.NETWORK_MANAGER,
    drop_ins.NEEDRESTART_FILE,
)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name that nobody reads, until it is whole: networkd must not meet half of it.
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(_MODE)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
