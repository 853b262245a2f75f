"""What cannot be read is unknown: a kernel that hangs, hardware that is not there, garbage."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from agent.audit.answer import Answer
from agent.audit.check import Check, answer_of
from agent.audit.host import TEXT_BYTES_MAX
from agent.doctor import look as look_module
from agent.doctor.findings import Findings, gather
from agent.doctor.report import examine
from agent.model.identity import Link
from tests.builders import LINK
from tests.unit.doctor.node import USB, Node, sound_node

OF_NICS = ("watched", "hardware_read", "matched", "own_driver", "autosuspend")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return sound_node(tmp_path)


def test_a_kernel_that_does_not_answer_makes_the_nics_unknown(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Event()

    def hang() -> tuple[Link, ...]:
        answered.wait(30)
        return ()

    node.list_links = hang
    monkeypatch.setattr(look_module, "LOOK_SECONDS_MAX", 0.05)

    outcomes = node.outcomes()
    answered.set()

    assert {"unknown"} == {outcomes[name] for name in OF_NICS}
    assert "yes" == outcomes["may_start"]


def test_a_listing_that_fails_makes_the_nics_unknown(node: Node) -> None:
    def refuse() -> tuple[Link, ...]:
        raise TimeoutError(110, "the list of links did not end in time")

    node.list_links = refuse

    answer = node.answer("watched")

    assert ("unknown", True) == (answer.outcome, "did not end in time" in answer.words)


def test_hardware_that_cannot_be_read_is_unknown(node: Node) -> None:
    node.remove(f"{USB}/devnum")

    watched, read = node.answer("watched"), node.answer("hardware_read")

    assert ("unknown", "unknown") == (watched.outcome, read.outcome)
    assert "devnum" in read.words


def test_a_link_that_went_meanwhile_does_not_hide_the_others(node: Node) -> None:
    node.links = (replace(LINK, ifindex=9, device="enx9"), LINK)

    assert ("yes", "unknown") == (
        node.answer("watched").outcome,
        node.answer("hardware_read").outcome,
    )


def test_the_links_of_a_machine_that_does_not_run_are_unknown(node: Node) -> None:
    report = examine(node.root, None)

    assert "unknown" == dict(report.answers)["watched"].outcome
    assert "yes" == dict(report.answers)["may_start"].outcome


def test_an_empty_tree_is_examined(tmp_path: Path) -> None:
    outcomes = Node(tmp_path).outcomes()

    assert ("unknown", "unknown", "unknown") == (
        outcomes["may_start"],
        outcomes["systemd"],
        outcomes["cni_rules"],
    )
    assert ("no", "no") == (outcomes["service"], outcomes["journal_kept"])


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("proc/cmdline", "may_start"),
        ("etc/systemd/journald.conf", "journal_kept"),
        ("etc/systemd/system/nodemend.service", "service"),
        ("usr/lib/systemd/catalog/nodemend.catalog", "catalog"),
    ],
)
def test_a_file_that_is_too_large_is_unknown(node: Node, name: str, check: str) -> None:
    node.write(name, "x" * (TEXT_BYTES_MAX + 1))

    answer = node.answer(check)

    assert ("unknown", True) == (answer.outcome, f"larger than {TEXT_BYTES_MAX}" in answer.words)


def test_a_directory_in_place_of_a_file_is_unknown(node: Node) -> None:
    node.remove("proc/cmdline")
    (node.root / "proc/cmdline").mkdir()

    answer = node.answer("may_start")

    assert ("unknown", True) == (answer.outcome, "proc/cmdline" in answer.words)


def test_garbage_ends_no_examination(node: Node) -> None:
    for folder, _, names in os.walk(node.root):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.write_bytes(b"\xff\x00[=\n]=\n\\\n")

    assert len(node.examine().answers) == len(node.outcomes())


def test_nothing_is_changed_even_where_a_step_is_due(node: Node) -> None:
    node.write(f"{USB}/power/control", "auto\n")
    node.write("etc/nodemend/config.yaml", "mode: remediate\nusb_nic: {match: [{driver: r8152}]}\n")

    before = _tree(node.root)
    assert "switches that off" in node.answer("autosuspend").words

    assert before == _tree(node.root)


def _tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_a_check_that_fails_is_unknown_and_hides_no_other(node: Node) -> None:
    def fail(_findings: Findings) -> Answer:
        raise ZeroDivisionError

    findings = gather(node.machine())
    broken = Check("broken", "", "", fail)

    answer = answer_of(broken, findings, is_root=True)

    assert ("unknown", "the check failed: ZeroDivisionError: ") == (answer.outcome, answer.words)
