"""The state file: whole or set aside, never half."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from agent import store
from agent.model.state import Durable
from tests.builders import watching

DURABLE = Durable("boot-1", watching().state.nics)


def test_nothing_was_ever_saved(tmp_path: Path) -> None:
    assert store.STATE.load(tmp_path) is None


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    store.STATE.save(tmp_path, DURABLE)

    assert DURABLE == store.STATE.load(tmp_path)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store.STATE.save(tmp_path, DURABLE)

    assert 0o600 == (tmp_path / store.FILE_NAME).stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"\x00" * 512, "damaged"),
        (b'{"format":1', "damaged"),
        (b"[" * 200_000, "damaged"),
        (b'{"format":2,"type":"StoreFile"}', "missing field 'durable'"),
        (b'{"format":2}', "expected a StoreFile"),
        (b'{"format":1,"something":"ancient"}', "format 1, and this version knows formats 2 to 5"),
        (b'{"format":6,"something":"newer"}', "format 6, and this version knows formats 2 to 5"),
        (b'{"format":"3"}', "format '3'"),
        (b"x" * (store.FILE_BYTES_MAX + 1), "larger than"),
    ],
)
def test_a_file_that_cannot_be_used_is_set_aside(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / store.FILE_NAME
    path.write_bytes(content)

    spoiled = store.STATE.load(tmp_path)

    assert isinstance(spoiled, store.Spoiled)
    assert reason in spoiled.reason
    assert content == Path(spoiled.path).read_bytes()
    assert store.STATE.load(tmp_path) is None, "the next start begins anew"


def test_a_truncated_file_is_set_aside_at_every_length(tmp_path: Path) -> None:
    store.STATE.save(tmp_path, DURABLE)
    whole = (tmp_path / store.FILE_NAME).read_bytes()
    for length in range(0, len(whole) - 2, 7):
        (tmp_path / store.FILE_NAME).write_bytes(whole[:length])

        assert isinstance(store.STATE.load(tmp_path), store.Spoiled)


def test_a_save_says_when_it_is_durable(tmp_path: Path) -> None:
    answers: list[bool] = []
    done = threading.Event()
    writer = store.Store(tmp_path, store.STATE)

    def hear(durable: bool) -> None:
        answers.append(durable)
        done.set()

    writer.save(DURABLE, hear)

    assert done.wait(10)
    assert [True] == answers
    assert DURABLE == store.STATE.load(tmp_path)
    assert writer.close(10)


def test_a_save_that_fails_says_so(tmp_path: Path) -> None:
    answers: list[bool] = []
    directory = tmp_path / "gone"
    writer = store.Store(directory, store.STATE)
    writer.save(DURABLE, answers.append)

    assert writer.close(10)
    assert [False] == answers
    assert writer.failure is not None
    assert "No such file or directory" in writer.failure


def test_a_file_that_cannot_be_set_aside_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / store.FILE_NAME).write_text("{")

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    spoiled = store.STATE.load(tmp_path)
    assert isinstance(spoiled, store.Spoiled)
    assert not spoiled.set_aside
    monkeypatch.undo()

    answers: list[bool] = []
    writer = store.Store(tmp_path, store.STATE)
    writer.refuse(spoiled.reason)
    writer.save(DURABLE, answers.append)
    assert writer.close(10)
    assert [False] == answers
    assert "Read-only file system" in (writer.failure or "")
    assert "{" == (tmp_path / store.FILE_NAME).read_text()


def test_whatever_goes_wrong_is_heard_of(tmp_path: Path) -> None:
    answers: list[bool] = []
    writer = store.Store(tmp_path, store.STATE)
    writer.save(Durable(b"no text", {}), answers.append)  # type: ignore[arg-type]

    assert writer.close(10)
    assert [False] == answers
    assert "TypeError" in (writer.failure or "")


def test_what_an_older_version_wrote_is_read_with_the_defaults_of_what_it_lacks(
    tmp_path: Path,
) -> None:
    store.STATE.save(tmp_path, DURABLE)
    path = tmp_path / store.FILE_NAME
    whole = json.loads(path.read_text())
    del whole["durable"]["ended"], whole["durable"]["unclean_starts_wall_ns"]
    path.write_text(json.dumps({**whole, "format": 2}))
    assert DURABLE == store.STATE.load(tmp_path)

    path.write_text(json.dumps({**whole, "format": store.FORMAT}))
    spoiled = store.STATE.load(tmp_path)
    assert isinstance(spoiled, store.Spoiled), "what this version wrote has all its fields"
    del whole["durable"]["nics"]
    path.write_text(json.dumps({**whole, "format": 2}))
    spoiled = store.STATE.load(tmp_path)
    assert isinstance(spoiled, store.Spoiled)
    assert "missing field 'nics'" in spoiled.reason


def test_a_peek_leaves_the_file_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / store.FILE_NAME
    path.write_text("{")

    assert isinstance(store.STATE.peek(tmp_path), store.Spoiled)
    assert path.exists()
