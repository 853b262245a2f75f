"""Incidents, their bundle and the report where no daemon runs: from what is on disk."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from agent import config, store
from agent.cli import main
from agent.keeper import durable_of
from agent.model.facts import UsbTreeRead
from agent.model.usb_tree import UsbNode, UsbPort, UsbTree
from tests.builders import LINK
from tests.unit.decide.test_climb import climber
from tests.unit.report.recorded import Recorded

TREE = UsbTree(
    (
        UsbNode(
            *("2-1", 2, "0bda", "8156", 5_000_000_000, "1", "on", "active"),
            drivers=("r8152",),
            links=(LINK.device,),
        ),
    ),
    (UsbPort("usb2-port1", "usb1-port1", "2-1", "configured", 0),),
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with one incident: its driver gave up, and a reset helped."""
    directory = tmp_path / "state"
    directory.mkdir()
    node = Recorded(directory / "incidents")
    climber(node=node)
    node.log("gave_up")
    node.take(UsbTreeRead(node.at(), TREE))
    action = node.until_a_step()
    assert action is not None
    node.count()
    node.end(action)
    node.log("usb_reset")
    node.probe(answered=True)
    node.let_pass(65)
    node.files.close()
    store.STATE.save(directory, durable_of(node.state))
    monkeypatch.setenv("STATE_DIRECTORY", str(directory))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    conf = tmp_path / "config.yaml"
    conf.write_text("mode: remediate\nweb_config_file: /etc/nodemend/web.yaml\n")
    monkeypatch.setattr(config, "DEFAULT_PATH", conf)
    return directory


def the_id(capsys: pytest.CaptureFixture[str]) -> str:
    assert 0 == main(["incidents", "list", "--json"])
    (incident,) = json.loads(capsys.readouterr().out)
    return str(incident["id"])


def test_what_was_saved_is_shown_and_said_to_be_that(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incident_id = the_id(capsys)

    assert 0 == main(["incidents", "show", incident_id])
    said = capsys.readouterr()
    assert "this is what was saved last" in said.err
    assert "usb_reset verified" in said.out
    assert "before: enx6c1ff71be8c8 with a carrier, link at 2500 Mb/s; r8152, USB 2-1" in said.out
    assert "after: enx6c1ff71be8c8 with a carrier" in said.out
    assert f"recording: {state}/incidents/{incident_id}.jsonl" in said.out


@pytest.mark.usefixtures("state")
def test_a_bundle_has_everything_and_replays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incident_id = the_id(capsys)
    output = tmp_path / "b.tar.gz"

    assert 0 == main(["incidents", "bundle", incident_id, "--output", str(output)])
    with tarfile.open(output) as archive:
        files = {
            Path(m.name).name: (archive.extractfile(m) or pytest.fail(m.name)).read().decode()
            for m in archive
        }
    assert {
        *("about.txt", "config.yaml", "counters.txt", "incident.json", "incident.txt"),
        *("kernel.txt", "missing.txt", "policy.json", "recording.jsonl", "status.txt", "usb.txt"),
    } == files.keys()
    assert incident_id == json.loads(files["incident.json"])["id"]
    assert "gave_up" in files["kernel.txt"]
    assert "2-1      0bda:8156 at 5000 Mb/s, device number 2, driver r8152" in files["usb.txt"]
    assert (
        "usb2-port1     2-1 is in it, the same plug as usb1-port1, state configured"
        in (files["usb.txt"])
    )
    assert "rx_packets" in files["counters.txt"]
    assert "remediate" == json.loads(files["policy.json"])["mode"]
    assert "no daemon answers" in files["status.txt"]
    assert "web_config_file: /etc/nodemend/web.yaml" in files["config.yaml"], "the path alone"
    capsys.readouterr()
    assert 0 == main(["replay", str(output)])
    assert ", 0 with other outputs\n" in capsys.readouterr().out
    assert 0o600 == output.stat().st_mode & 0o777


def test_without_its_recording_the_rest_is_bundled(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incident_id = the_id(capsys)
    for path in (state / "incidents").iterdir():
        path.unlink()
    output = tmp_path / "b.tar.gz"

    assert 0 == main(["incidents", "bundle", incident_id, "--output", str(output)])
    assert "there is no recording of it" in capsys.readouterr().err
    assert 2 == main(["replay", str(output)])
    assert "there is no recording.jsonl in it" in capsys.readouterr().err


@pytest.mark.usefixtures("state")
def test_what_is_not_known_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "b.tar.gz"

    assert 1 == main(["incidents", "bundle", "uplink-1", "--output", str(output)])
    assert "no incident 'uplink-1' is on record" in capsys.readouterr().err
    assert not output.exists()
    incident_id = the_id(capsys)
    nowhere = tmp_path / "no/where.tar.gz"
    assert 1 == main(["incidents", "bundle", incident_id, "--output", str(nowhere)])
    assert f"cannot write {nowhere}: No such file or directory" in capsys.readouterr().err


def test_a_lost_state_leaves_the_recording(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incident_id = the_id(capsys)
    (state / store.FILE_NAME).write_text("{")

    assert 1 == main(["incidents", "list"])
    assert "damaged" in capsys.readouterr().err
    output = tmp_path / "b.tar.gz"
    assert 0 == main(["incidents", "bundle", incident_id, "--output", str(output)])
    assert 0 == main(["replay", str(output)])


@pytest.mark.usefixtures("state")
def test_the_report_of_what_was_saved(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["report", "--since", "99999d", "--format", "markdown"])
    said = capsys.readouterr()
    assert "this is what was saved last" in said.err
    assert "**It is the driver, or the adapter's firmware.**" in said.out
    assert "- its driver gave up: once, which speaks for the driver" in said.out
    assert "- usb_reset was taken once: helped 1" in said.out
    assert 0 == main(["report", "--since", "99999d", "--json"])
    (nic,) = json.loads(capsys.readouterr().out)["nics"]
    assert ["driver"] == nic["culprits"]


@pytest.mark.parametrize("span", ["", "d", "30", "-1d", "0s", "1w"])
def test_a_span_that_is_none_is_bad_usage(span: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["report", f"--since={span}"])
    assert "--since: expected a duration like 12h or 30d" in capsys.readouterr().err


def test_where_nothing_was_ever_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))

    assert 1 == main(["report"])
    assert f"nothing was ever saved in {tmp_path}" in capsys.readouterr().err
