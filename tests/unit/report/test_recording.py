"""What is recorded is replayed to the same outputs, or the difference is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import pytest

from agent.cli import main
from agent.model.facts import ConfigRead, Fact, LinkGone, LinkSeen
from agent.model.policy import NicMatch, Policy
from agent.replay import RecordingError, replay
from agent.report import recorder as recorder_module
from agent.report.recorder import SEGMENTS_MAX, Recorder
from tests.builders import LINK, Node, flapped, lost, watching

POLICY = Policy(match=(NicMatch(name="uplink", driver="r8152"),))


def record(recorder: Recorder, node: Node, facts: list[Fact]) -> None:
    for fact in facts:
        before, policy = node.state, node.policy
        node.take(fact)
        recorder.record(before, node.state, fact, node.outputs, policy)


def some_facts(node: Node, flaps: int = 3) -> list[Fact]:
    facts: list[Fact] = [LinkSeen(node.at(), flapped(LINK, times=i)) for i in range(1, flaps + 1)]
    return [*facts, LinkGone(node.at(), LINK.ifindex, LINK.device)]


def a_recording(directory: Path) -> Path:
    node = watching(policy=POLICY)
    recorder = Recorder(directory, "1.2.3")
    record(recorder, node, some_facts(node))
    assert recorder.close(10)
    (segment,) = directory.glob("*.jsonl")
    return segment


def test_a_replay_is_identical(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment = a_recording(tmp_path)

    assert 0 == main(["replay", str(segment)])
    assert "4 facts recorded by 1.2.3, 0 with other outputs\n" == capsys.readouterr().out


def test_a_changed_recording_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment = a_recording(tmp_path)
    segment.write_text(segment.read_text().replace('"losses":1', '"losses":2', 1))

    assert 1 == main(["replay", str(segment)])
    printed = capsys.readouterr().out
    assert f"{segment}:2: " in printed
    assert "4 facts recorded by 1.2.3, 1 with other outputs\n" in printed


def test_another_policy_can_be_given(tmp_path: Path) -> None:
    segment = a_recording(tmp_path)
    config = tmp_path / "c.yaml"
    config.write_text("mode: remediate\nusb_nic: {match: [{driver: r8152, name: uplink}]}\n")

    assert 0 == main(["replay", str(segment), "--config", str(config)])


def test_a_last_line_that_is_cut_off_is_no_difference(tmp_path: Path) -> None:
    segment = a_recording(tmp_path)
    segment.write_bytes(segment.read_bytes()[:-20])
    result = replay(segment)

    assert (3, (), True) == (result.facts, result.differences, result.cut_off)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b"not json\n", b"\xff\xfe\n", b'{"type":"RecordingHeader"}\n']
)
def test_what_is_no_recording_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(content)

    with pytest.raises(RecordingError):
        replay(path)
    assert 2 == main(["replay", str(path)])


def test_a_recording_is_bounded_and_each_segment_replays_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "SEGMENT_CHARACTERS_MAX", 2000)
    monkeypatch.setattr(recorder_module, "RECORDING_BYTES_MAX", 12_000)
    node = watching(policy=POLICY)
    recorder = Recorder(tmp_path, "1.2.3")
    record(recorder, node, some_facts(node, flaps=50))

    assert recorder.close(10)
    segments = sorted(tmp_path.glob("*.jsonl"))
    # And the segment that is being written, with its header and the entry that filled it.
    assert sum(segment.stat().st_size for segment in segments) <= 12_000 + 2 * 2_000
    assert "000001.jsonl" != segments[0].name
    assert all(not replay(segment).differences for segment in segments)


def test_a_crash_loop_does_not_erase_what_explains_it(tmp_path: Path) -> None:
    first = a_recording(tmp_path)
    for _ in range(SEGMENTS_MAX + 3):
        node = watching(policy=POLICY)
        recorder = Recorder(tmp_path, "1.2.3")
        record(recorder, node, [LinkSeen(node.at(), lost(LINK))])
        assert recorder.close(10)
        if len(list(tmp_path.glob("*.jsonl"))) < SEGMENTS_MAX:
            assert first.exists()

    assert SEGMENTS_MAX == len(list(tmp_path.glob("*.jsonl")))


def test_a_segment_that_could_not_be_begun_falsifies_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = watching(policy=POLICY)
    recorder = Recorder(tmp_path, "1.2.3")
    write_line, failures = recorder._write_line, [OSError("No space left on device")]

    def fail_once(file: TextIO, text: str) -> None:
        if failures:
            file.write(text[:40])
            raise failures.pop()
        write_line(file, text)

    monkeypatch.setattr(recorder, "_write_line", fail_once)
    record(recorder, node, some_facts(node))

    assert recorder.close(10)
    _spoiled, whole = sorted(tmp_path.glob("*.jsonl"))
    assert (3, ()) == (replay(whole).facts, replay(whole).differences)


def test_a_restart_goes_on_with_the_next_number(tmp_path: Path) -> None:
    a_recording(tmp_path)
    recorder = Recorder(tmp_path, "1.2.3")
    node = watching(policy=POLICY)
    record(recorder, node, [LinkSeen(node.at(), lost(LINK))])

    assert recorder.close(10)
    assert ["000001.jsonl", "000002.jsonl"] == sorted(p.name for p in tmp_path.glob("*.jsonl"))


def test_an_entry_that_is_lost_begins_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = watching(policy=POLICY)
    recorder = Recorder(tmp_path, "1.2.3")
    first, second, third, *_rest = some_facts(node)
    record(recorder, node, [first])
    offer = recorder._worker.offer
    monkeypatch.setattr(recorder._worker, "offer", lambda _item: False)
    record(recorder, node, [second])
    monkeypatch.setattr(recorder._worker, "offer", offer)
    record(recorder, node, [third])

    assert recorder.close(10)
    replays = [replay(segment) for segment in sorted(tmp_path.glob("*.jsonl"))]
    assert [(1, ()), (1, ())] == [(r.facts, r.differences) for r in replays]


def test_a_reload_in_the_middle_replays_with_the_policy_of_its_time(tmp_path: Path) -> None:
    node = watching(policy=POLICY)
    recorder = Recorder(tmp_path, "1.2.3")
    named = Policy(match=(NicMatch(name="renamed", driver="r8152"),))
    read = ConfigRead(node.at(), "config", "/etc/nodemend/config.yaml", named)
    record(recorder, node, [read, LinkSeen(node.at(), lost(LINK))])
    assert recorder.close(10)
    (segment,) = tmp_path.glob("*.jsonl")

    assert '"nic":"renamed"' in segment.read_text()
    assert (2, ()) == (replay(segment).facts, replay(segment).differences)
    other = replay(segment, Policy(match=(NicMatch(name="other", driver="r8152"),)))
    assert 2 == len(other.differences), "another policy holds from the beginning to the end"
    assert all(
        '"nic":"other"' in found.replayed or "other (" in found.replayed
        for found in other.differences
    )
