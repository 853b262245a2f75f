"""The word at the console: when it is there, what it says, and that it goes away again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model.identity import Stamp
from agent.model.snapshot import Snapshot
from agent.model.state import Health, HealthState, Nic
from agent.report.console import COLUMNS, DEAD_SECONDS, LINES_MAX, Console, message
from agent.report.next_step import NEXT_STEPS
from tests.builders import SECOND_NS, WALL_BASE_NS
from tests.unit.report.snapshots import a_busy_snapshot

DOWN: tuple[HealthState, ...] = ("down",) * 9
NOW = Stamp(1000 * SECOND_NS, WALL_BASE_NS + 1000 * SECOND_NS)


def node(*states: HealthState | None, since_seconds: int = 60, evidence: str = "so") -> Snapshot:
    """A node whose ways out are in these states."""
    snapshot = a_busy_snapshot()
    uplink = next(nic for nic in snapshot.state.nics.values() if nic.nic == "uplink")
    at = Stamp(NOW.boottime_ns - since_seconds * SECOND_NS, NOW.wall_ns)
    nics: dict[str, Nic] = {}
    for number, state in enumerate(states):
        check = {"gone": "missing", "wedged": "silence"}.get(str(state), "no_carrier")
        health = Health(state, (check,), (evidence,), at) if state else None
        name = f"uplink{number}"
        senses = replace(uplink.senses, health=health)
        nics[name] = replace(uplink, nic=name, uplink_seen=True, senses=senses)
    return replace(snapshot, at=NOW, state=replace(snapshot.state, nics=nics))


@pytest.mark.parametrize("state", ["gone", "disabled", "down", "wedged"])
def test_a_dead_way_out_is_told_with_the_next_step(state: HealthState) -> None:
    words = message(node(state)) or ""

    assert "THIS NODE HAS NO WORKING UPLINK" in words
    assert f"is {state.upper()} since" in words
    assert "Next: " in words
    assert "nodemend status" in words


@pytest.mark.parametrize(
    "snapshot",
    [
        pytest.param(node(), id="no way out is known"),
        pytest.param(node(None), id="not judged"),
        pytest.param(node("healthy"), id="healthy"),
        pytest.param(node("degraded"), id="degraded"),
        pytest.param(node("flapping"), id="flapping"),
        pytest.param(node("down", "healthy"), id="there is another way"),
        pytest.param(node("down", None), id="another is not known"),
        pytest.param(node("down", since_seconds=DEAD_SECONDS - 1), id="just now"),
    ],
)
def test_nothing_is_said_where_there_may_be_a_way_out(snapshot: Snapshot) -> None:
    assert message(snapshot) is None


def test_a_nic_that_never_led_out_does_not_matter() -> None:
    snapshot = node("down")
    nics = {c: replace(nic, uplink_seen=False) for c, nic in snapshot.state.nics.items()}

    assert message(replace(snapshot, state=replace(snapshot.state, nics=nics))) is None


def test_it_fits_the_console_and_cannot_move_its_cursor() -> None:
    words = message(node(*DOWN, evidence="\x1b[2J\x07 grüße \n" + "kernel words " * 40))

    assert words is not None
    assert all(line.isascii() and line.isprintable() for line in words.splitlines())
    assert max(len(line) for line in words.splitlines()) <= COLUMNS
    assert len(words.splitlines()) <= LINES_MAX
    assert "Dead as well: 7 more of its NICs." in words
    assert "then try another" in words, "what to do is never cut off"


@pytest.mark.parametrize("ways_out", range(1, 10))
@pytest.mark.parametrize("evidence", ["so", "kernel words " * 40])
def test_it_fits_however_many_are_dead(ways_out: int, evidence: str) -> None:
    words = message(node(*DOWN[:ways_out], evidence=evidence)) or ""

    shown = words.count("is DOWN since")
    assert 1 <= shown
    assert len(words.splitlines()) <= LINES_MAX
    assert (shown < ways_out) == (f"{ways_out - shown} more of its NICs" in words)


@pytest.mark.parametrize("check", NEXT_STEPS)
def test_what_to_do_is_told_to_the_end(check: str) -> None:
    snapshot = node("down")
    (nic,) = snapshot.state.nics.values()
    health = nic.senses.health
    assert health is not None
    ill = replace(nic, senses=replace(nic.senses, health=replace(health, checks=(check,))))
    words = message(replace(snapshot, state=replace(snapshot.state, nics={"uplink0": ill}))) or ""

    assert "..." not in words
    assert NEXT_STEPS[check].split()[-1] in words


def test_the_files_come_and_go(tmp_path: Path) -> None:
    issue, motd = tmp_path / "run/issue.d/nodemend.issue", tmp_path / "run/motd.d/nodemend"
    for path in (issue, motd):
        path.parent.mkdir(parents=True)
        path.write_text("of an earlier run")
    former = os.umask(0o077)
    try:
        console = Console(tmp_path)
        console.show(node("healthy"))
        wait_for(lambda: not issue.exists() and not motd.exists())
        console.show(node("down", evidence="back\\slash"))
        wait_for(lambda: issue.exists() and motd.exists())
    finally:
        os.umask(former)

    assert "back\\\\slash" in issue.read_text(), "a backslash begins an escape there"
    assert "back\\slash" in motd.read_text()
    assert 0o644 == motd.stat().st_mode & 0o777
    assert console.close(10)
    assert [] == [*issue.parent.iterdir(), *motd.parent.iterdir()]


def test_a_prompt_that_waits_already_is_printed_anew(tmp_path: Path) -> None:
    reload = tmp_path / "run/agetty.reload"
    (tmp_path / "run/issue.d").mkdir(parents=True)
    reload.touch()
    os.utime(reload, (1, 1))
    console = Console(tmp_path)
    console.show(node("down"))
    wait_for(lambda: reload.stat().st_mtime > 1)
    assert (tmp_path / "run/issue.d/nodemend.issue").exists(), "first the word, then the bell"
    os.utime(reload, (1, 1))
    assert console.close(10)
    assert reload.stat().st_mtime > 1


def test_without_a_place_for_it_nothing_happens(tmp_path: Path) -> None:
    console = Console(tmp_path)
    console.show(node("down"))

    assert console.close(10)
    assert console.failure is None
    assert [] == list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run/issue.d").mkdir(parents=True)

    def refuse(*_arguments: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("agent.report.console.os.open", refuse)
    console = Console(tmp_path)
    console.show(node("down"))
    wait_for(lambda: "Read-only file system" in str(console.failure))
    monkeypatch.undo()
    assert console.close(10)


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("it did not come true")
