"""The model as JSON: nothing is lost on the way, nothing half-read comes back."""

from __future__ import annotations

import pytest

from agent.codec import CodecError, from_json, to_json
from agent.model.facts import AdapterRead, Started
from agent.model.identity import Stamp
from agent.model.recording import RecordingEntry
from agent.model.state import Durable, State
from tests.builders import ADAPTER, CONNECTOR, watching


def test_a_state_comes_back_as_it_was() -> None:
    state = watching().state

    assert state == from_json(to_json(state), State)


def test_equal_values_give_equal_bytes() -> None:
    assert to_json(watching().state) == to_json(watching().state)


def test_a_fact_knows_its_kind() -> None:
    entry = RecordingEntry(AdapterRead(Stamp(1, 2), 3, None), ())

    assert entry == from_json(to_json(entry), RecordingEntry)


def test_a_fact_with_everything_in_it() -> None:
    durable = Durable("boot", watching().state.nics)
    fact = Started(Stamp(1, 2), "1", "boot", durable, ("blind here",))

    assert fact == from_json(to_json(fact), Started)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"not JSON"),
        ("[" * 100_000, r"not JSON"),
        ("[]", r"\$: expected an object"),
        ('{"type":"Link"}', r"\$: expected a Stamp, found 'Link'"),
        ('{"type":"Stamp","boottime_ns":1}', r"\$: missing field 'wall_ns'"),
        ('{"type":"Stamp","boottime_ns":1,"wall_ns":2,"x":3}', r"\$: unknown field 'x'"),
        ('{"type":"Stamp","boottime_ns":"1","wall_ns":2}', r"\$.boottime_ns: expected int"),
        ('{"type":"Stamp","boottime_ns":true,"wall_ns":2}', r"\$.boottime_ns: expected int"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        from_json(text, Stamp)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"phase":null', '"phase":1', r"unknown field 'phase'"),
        ('"nics":{', '"nics":[],"x":{', r"\$.nics: expected an object|unknown field"),
        (f'"connector":"{CONNECTOR}"', '"connector":null', r"connector: expected str"),
    ],
)
def test_a_state_that_was_tampered_with(old: str, new: str, message: str) -> None:
    text = to_json(watching().state)
    if old not in text:
        text = text.replace('"version"', f'{old},"version"')

    with pytest.raises(CodecError, match=message):
        from_json(text.replace(old, new), State)


def test_a_literal_takes_only_its_words() -> None:
    text = to_json(ADAPTER)
    with pytest.raises(CodecError, match="no 'Adapter' is known here"):
        from_json(f'{{"type":"RecordingEntry","fact":{text},"outputs":[]}}', RecordingEntry)
