"""What passes between the sampler's process and the daemon: the same comes out, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.gpu import RESTART_REASONS, GpuProcess, GpuReading, GpuReport, GpuXid
from agent.observe.gpu_line import Farewell, Garbage, from_line, to_line

COUNTS = st.integers(0, 2**64 - 1)
PROCESSES = st.builds(
    GpuProcess, COUNTS, COUNTS, st.text(max_size=15), st.none() | COUNTS, st.none() | COUNTS
)
READINGS = st.builds(
    GpuReading,
    gpu_uuid=st.text(),
    name=st.text(),
    failure=st.text(),
    total_bytes=COUNTS,
    used_bytes=COUNTS,
    reserved_bytes=st.none() | COUNTS,
    free_bytes=COUNTS,
    processes=st.lists(PROCESSES, max_size=3).map(tuple),
    ended=st.lists(PROCESSES, max_size=2).map(tuple),
    compute_mode=st.none() | st.integers(0, 3),
    persistence=st.none() | st.booleans(),
    is_listed=st.booleans(),
)
REPORTS = st.builds(
    GpuReport,
    st.text(),
    st.lists(READINGS, max_size=3).map(tuple),
    st.lists(st.builds(GpuXid, st.text(), COUNTS), max_size=3).map(tuple),
    st.text(),
)
WHOLE = to_line(
    GpuReport("535", (GpuReading("GPU-1", processes=(GpuProcess(1, 2, "x", 3),)),), (), "")
)


@given(st.one_of(REPORTS, st.builds(Farewell, st.sampled_from(RESTART_REASONS), st.text())))
def test_what_was_said_is_heard(said: GpuReport | Farewell) -> None:
    line = to_line(said)

    assert 1 == line.count(b"\n")
    assert said == from_line(line)


@pytest.mark.parametrize(
    "change",
    [
        {"total": -1},
        {"total": 1.5},
        {"total": True},
        {"used": None},
        {"uuid": 7},
        {"persistence": "on"},
        {"listed": None},
        {"processes": [[1, 2, "x", 3]]},
        {"processes": [[1, 2, 3, 4, 5]]},
        {"processes": [["1", 2, "x", 4, 5]]},
        {"processes": 1},
    ],
)
def test_a_wrong_value_is_garbage(change: dict[str, object]) -> None:
    found = json.loads(WHOLE)
    found["gpus"][0].update(change)

    with pytest.raises(Garbage):
        from_line(json.dumps(found).encode())


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b"{}", b'{"end":"mood","words":""}', b"[" * 90_000, b"\xff"]
)
def test_what_is_no_line_is_garbage(line: bytes) -> None:
    with pytest.raises(Garbage):
        from_line(line)


@given(st.integers(0, len(WHOLE) - 3))
def test_a_line_that_is_cut_off_is_garbage(length: int) -> None:
    with pytest.raises(Garbage):
        from_line(WHOLE[:length])
