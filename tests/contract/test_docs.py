"""What README.md shows is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.cli import main
from agent.config import parse
from agent.model.verdicts import CarrierLost, CarrierReturned
from agent.report import catalog, gpu_table, metrics
from agent.report.gpu import as_object as as_gpu
from agent.report.status import as_object, as_text
from tests.unit.report.snapshots import a_busy_snapshot

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_configuration_shown_is_valid() -> None:
    text, _web = blocks("yaml")

    config = parse(text, "README.md")

    assert ("uplink", "0b1f") == (config.policy.match[0].name, config.policy.ignore[0].vendor_id)


def test_the_journal_lines_shown_are_the_catalogs() -> None:
    device = "enx6c1ff71be8c8"
    lines = [
        catalog.line(CarrierLost("uplink", device, 1, 1, carrier=False)),
        catalog.line(CarrierReturned("uplink", device, 1)),
    ]

    assert "\n".join(lines) + "\n" in blocks("text")


def test_the_metrics_shown_exist() -> None:
    known = {metrics.PREFIX + family.name for family in metrics.FAMILIES}
    shown = set(re.findall(r"^(nodemend_\w+)\{", README, re.MULTILINE))

    assert shown
    assert shown <= known


def test_the_status_shown_has_the_form_of_the_real_one() -> None:
    shown = next(block for block in blocks("text") if "carrier losses" in block)
    real = as_text(as_object(a_busy_snapshot()))

    def form(text: str) -> list[str]:
        """Its lines' first two words: the rest is this NIC's own."""
        return [" ".join(line.split()[:2]) for line in text.strip().splitlines()]

    uplink, bridged = (form(text) for text in real.split("\n\n")[1:3])
    assert "uplink is" == form(shown)[0] == form(real)[0]
    nic = form(shown.split("\n\n")[1])
    assert uplink[0].replace("DOWN", "DEGRADED") == nic[0]
    assert bridged[1:3] == nic[1:3]
    assert uplink[3:5] == nic[3:5]
    assert bridged[5:] == nic[5:]


def test_the_gpu_shown_has_the_form_of_the_real_one() -> None:
    shown = next(block for block in blocks("text") if "HOLDER" in block)
    snapshot = a_busy_snapshot()
    real = gpu_table.in_words(as_gpu(snapshot.gpu, snapshot.state.gpu), "pod", markdown=False)

    def heading(text: str) -> list[str]:
        return next(line for line in text.splitlines() if "HOLDER" in line).split()

    assert heading(shown) == heading(real)
    for line in shown.splitlines()[:3]:
        assert line in real
    for row in ("ml/trainer-0", "(not attributed)", "(reserved by the driver)", "(free)"):
        both = (next(x for x in t.splitlines() if x.startswith(row)) for t in (shown, real))
        first, second = (each.split() for each in both)
        assert first == second


def test_the_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_make_targets_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (README, (ROOT / "CONTRIBUTING.md").read_text()):
        named = re.findall(r"(?:`|^[#$] )make ([a-z-]+)", page, re.MULTILINE)

        assert named
        assert set(named) <= targets


@pytest.mark.parametrize(
    "verb",
    [
        *("run", "check-config", "status", "forget", "doctor", "undo", "replay"),
        *("pause", "resume", "incidents", "report", "gpu"),
    ],
)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])

    assert 0 == ended.value.code
    assert f"usage: nodemend {verb}" in capsys.readouterr().out


def test_bad_usage_is_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explode"])

    assert 2 == ended.value.code
    assert "invalid choice: 'explode'" in capsys.readouterr().err
