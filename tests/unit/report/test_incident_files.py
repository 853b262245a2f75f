"""The recordings of incidents: what is in them, what survives a kill, and their bounds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cli import main
from agent.codec import to_json
from agent.keeper import durable_of
from agent.model.facts import (
    AdapterRead,
    Fact,
    LinkSeen,
    ProbeEnded,
    Started,
    TimeReached,
    UsbTreeRead,
)
from agent.model.policy import Mode
from agent.model.recording import RecordingEntry, RecordingHeader
from agent.model.usb_tree import UsbTree
from agent.recordings import RecordingError, read
from agent.replay import replay
from agent.report import flight, incident_files
from agent.report.flight import BEFORE_SECONDS, Decided, Flight
from agent.report.incident_files import FILES_MAX, Files, IncidentFiles, file_of
from tests.builders import ADAPTER, LINK, flapped, lost, returned
from tests.unit.decide.test_climb import REMEDIATE, Climber, climber
from tests.unit.decide.uplinks import GATEWAY
from tests.unit.report.recorded import Recorded


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Recorded]:
    """An uplink that has been watched for some minutes."""
    node = Recorded(tmp_path / "incidents")
    climber(node=node)
    for _ in range(300):
        node.take(ProbeEnded(node.at(), LINK.ifindex, GATEWAY, answered=True))
    yield node
    node.files.close()


def repair(node: Recorded) -> None:
    """Its driver gives up, and a reset helps."""
    node.log("gave_up")
    action = node.until_a_step()
    assert action is not None
    node.take(UsbTreeRead(node.at(), UsbTree((), ())))
    node.end(action)
    node.log("usb_reset")
    node.probe(answered=True)
    node.let_pass(65)


def test_an_incident_leaves_a_recording_that_replays(
    node: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    repair(node)
    (incident,) = node.nic.incidents
    path = file_of(node.directory, incident.id)
    result = replay(path)

    assert "recovered" == incident.verdict
    assert (0, False, "1.2.3") == (len(result.differences), result.cut_off, result.recorded_by)
    assert 0 == main(["replay", str(path)])
    assert ", 0 with other outputs\n" in capsys.readouterr().out
    facts = [line.item.fact for line in read(path) if isinstance(line.item, RecordingEntry)]
    before = [fact for fact in facts if fact.at.boottime_ns < incident.opened.boottime_ns]
    assert incident.closed is not None
    assert BEFORE_SECONDS - 20 <= len(before) <= BEFORE_SECONDS + 20, "the minutes before it"
    assert incident.closed == facts[-1].at, "until it was closed"


def test_what_leaves_nothing_behind_leaves_no_file(node: Recorded) -> None:
    node.see(lost(LINK))
    node.let_pass(20)
    node.see(returned(lost(LINK)))
    node.let_pass(90)

    assert not node.directory.exists()


def test_another_policy_is_told_in_words(
    node: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repair(node)
    config = tmp_path / "c.yaml"
    config.write_text(
        "mode: observe\nusb_nic: {match: [{driver: r8152, name: uplink}], expect_speed: 2500}\n"
    )

    assert 1 == main(["replay", str(node.recording()), "--config", str(config)])
    printed = capsys.readouterr().out
    assert "recorded: step usb_reset on enx6c1ff71be8c8 (uplink)" in printed
    assert f"by {config}: would have taken step usb_reset" in printed
    assert "nobody has seen" in printed

    config.write_text(config.read_text().replace("observe", "remediate"))
    assert 0 == main(["replay", str(node.recording()), "--config", str(config)])
    assert "decisions on steps come out the same" in capsys.readouterr().out


@pytest.mark.parametrize(("then", "now"), [("observe", "remediate"), ("remediate", "observe")])
def test_a_policy_that_also_tunes_is_told_to_its_first_repair(
    then: Mode, now: Mode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Step tune comes before the repair: that nobody takes it in a replay ends nothing."""
    node = Recorded(tmp_path / "incidents")
    climber(replace(REMEDIATE, mode=then), replace(ADAPTER, power_control="auto"), node)
    for action in tuple(node.begun):
        node.end(action)
    node.take(AdapterRead(node.at(), LINK.ifindex, ADAPTER))
    node.log("gave_up")
    node.until_a_step(seconds=5)
    config = tmp_path / "c.yaml"
    config.write_text(
        f"mode: {now}\nusb_nic: {{match: [{{driver: r8152, name: uplink}}], expect_speed: 2500}}\n"
    )

    assert 1 == main(["replay", str(node.recording()), "--config", str(config)])
    printed = capsys.readouterr().out
    begun, withheld = "step usb_reset on enx", "would have taken step usb_reset on enx"
    recorded, otherwise = (begun, withheld) if then == "remediate" else (withheld, begun)
    assert f"recorded: {recorded}" in printed
    assert f"by {config}: {otherwise}" in printed
    assert "step tune on enx" in printed
    node.files.close()


def test_killed_at_any_byte_it_still_replays(node: Recorded, tmp_path: Path) -> None:
    repair(node)
    whole = node.recording().read_bytes()
    header = whole.index(b"\n") + 1
    cut = tmp_path / "cut.jsonl"
    for end in range(header, len(whole), 997):
        cut.write_bytes(whole[:end])
        assert not replay(cut).differences


def test_a_restart_goes_on_in_the_same_file(node: Recorded) -> None:
    node.log("gave_up")
    assert node.until_a_step() is not None
    path = node.recording()
    node.files.close()
    path.write_bytes(path.read_bytes()[:-30])  # killed in the middle of a line
    again = node.started_anew()
    again.start(durable_of(node.state))
    again.list_links(LINK)
    again.let_pass(3)
    again.files.close()

    headers = [line for line in read(path) if isinstance(line.item, RecordingHeader)]
    started = [
        line
        for line in read(path)
        if isinstance(line.item, RecordingEntry) and isinstance(line.item.fact, Started)
    ]
    assert (2, 1) == (len(headers), len(started))
    result = replay(path)
    assert ((), False) == (result.differences, result.cut_off)


def test_a_reboot_closes_it_in_the_file(node: Recorded) -> None:
    node.log("gave_up")
    assert node.until_a_step() is not None
    again = node.started_anew()
    again.start(durable_of(node.state), "boot-2")

    (incident,) = again.nic.incidents
    assert "cut_off" == incident.verdict
    assert again.flight.is_idle
    assert not replay(node.recording()).differences


def test_what_was_lost_begins_anew(node: Recorded) -> None:
    node.log("gave_up")
    assert node.until_a_step() is not None
    Climber.take(node, TimeReached(node.at(), "probe"))  # unrecorded
    node.gap = True
    node.let_pass(3)

    result = replay(node.recording())
    headers = [line for line in read(node.recording()) if isinstance(line.item, RecordingHeader)]
    assert ((), 2) == (result.differences, len(headers))


def test_what_was_lost_in_the_minutes_before_falsifies_nothing(node: Recorded) -> None:
    Climber.take(node, LinkSeen(node.at(), flapped(LINK, 3)))  # unrecorded
    node.gap = True
    node.see(flapped(LINK, 4))
    node.log("gave_up")
    assert node.until_a_step() is not None

    assert not replay(node.recording()).differences
    assert 4 == node.nic.flaps_total


def test_of_a_long_one_the_middle_is_left_out(
    node: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "INCIDENT_CHARACTERS_MAX", 700_000)
    node.see(lost(LINK))
    node.let_pass(2000)
    size = node.recording().stat().st_size
    node.let_pass(500)
    assert size == node.recording().stat().st_size
    node.see(returned(lost(LINK)))
    node.probe(answered=True)
    node.let_pass(70)

    (incident,) = node.nic.incidents
    assert incident.closed is not None
    assert size < node.recording().stat().st_size < 700_000
    assert not replay(node.recording()).differences
    *_, last = read(node.recording())
    assert isinstance(last.item, RecordingEntry)
    assert incident.closed == last.item.fact.at


def test_of_too_many_incidents_only_the_state_knows(
    node: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "RECORDINGS_AT_ONCE_MAX", 2)
    node.flight = Flight("1.2.3")
    node.policy = replace(REMEDIATE, mode="observe")
    for _ in range(4):
        node.log("gave_up")
        assert node.until_a_step(seconds=5) is None
        node.log("usb_reset")
        node.probe(answered=True)
        node.let_pass(65)

    assert 4 == len(node.nic.incidents)
    assert 2 == len(list(node.directory.glob("*.jsonl")))


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_files, "DIRECTORY_BYTES_MAX", 10_000)
    monkeypatch.setattr(incident_files, "INCIDENT_CHARACTERS_MAX", 2_000)
    files = Files(tmp_path)
    for number in range(FILES_MAX + 20):
        piece = flight.Piece(f"a-{number}", "x" * 999 + "\n", begins=True, ends=True)
        assert files.write(piece)
        file_of(tmp_path, f"a-{number}").touch()

    kept = sorted(int(path.stem.partition("-")[2]) for path in tmp_path.glob("*.jsonl"))
    assert kept == list(range(FILES_MAX + 20 - len(kept), FILES_MAX + 20))
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jsonl")) <= 10_000


def test_an_id_is_no_path(tmp_path: Path) -> None:
    assert tmp_path == file_of(tmp_path, "../../etc/passwd").parent


def test_a_disk_that_refuses_is_told_and_tried_again(node: Recorded, tmp_path: Path) -> None:
    directory = tmp_path / "full"
    directory.write_text("no directory can be made here\n")
    files = IncidentFiles(directory, "1.2.3")

    def take(fact: Fact) -> None:
        before, policy = node.state, node.policy
        Climber.take(node, fact)
        line = to_json(RecordingEntry(fact, node.outputs))
        files.take(Decided(before, node.state, fact, node.outputs, policy), line)

    def until(condition: Callable[[], bool]) -> None:
        for _ in range(500):
            if condition():
                return
            take(TimeReached(node.at(), "probe"))
            files._worker._thread.join(0.01)
        pytest.fail("it did not happen")

    take(lost_carrier(node))
    until(lambda: files.failure is not None)
    assert f"{directory}: " in str(files.failure)
    directory.unlink()
    until(lambda: files.failure is None)
    assert files.close(10)
    (path,) = directory.glob("*.jsonl")
    assert not replay(path).differences
    shutil.rmtree(directory)


def lost_carrier(node: Recorded) -> Fact:
    return LinkSeen(node.at(), lost(LINK))


def test_an_empty_file_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"")

    with pytest.raises(RecordingError):
        replay(path)
