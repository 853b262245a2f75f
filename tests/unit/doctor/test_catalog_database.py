"""The catalog as the real journalctl compiles it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.report.catalog import EVENTS
from tests.unit.doctor.node import sound_node

JOURNALCTL = shutil.which("journalctl")


@pytest.mark.allow_subprocess
@pytest.mark.skipif(JOURNALCTL is None, reason="no systemd on this machine")
def test_every_event_is_found_in_it(tmp_path: Path) -> None:
    node = sound_node(tmp_path)
    node.write("var/lib/systemd/catalog/database", b"")
    assert "no" == node.answer("catalog").outcome

    update = [str(JOURNALCTL), "--update-catalog", f"--root={tmp_path}"]
    subprocess.run(update, check=True, timeout=30)

    answer = node.answer("catalog")
    assert ("yes", f"all {len(EVENTS)} events are in journald's catalog") == (
        answer.outcome,
        answer.words,
    )
