"""QEMU's own command channel: what is done to a machine from outside, without its help."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from tests.lab.images import LabError

ANSWER_SECONDS_MAX = 30.0


def execute(path: Path, command: str) -> Any:
    """One command of QMP (docs/interop/qemu-qmp-ref); what it returns. LabError where it fails."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(ANSWER_SECONDS_MAX)
        channel.connect(str(path))
        with channel.makefile("rw") as lines:
            json.loads(lines.readline())  # its greeting
            _ask(lines, "qmp_capabilities")
            return _ask(lines, command)


def _ask(lines: Any, command: str) -> Any:
    lines.write(json.dumps({"execute": command}) + "\n")
    lines.flush()
    answer = {"event": ""}
    while "event" in answer:
        answer = json.loads(lines.readline())
    if "error" in answer:
        raise LabError(f"QMP, {command}: {answer['error']}")
    return answer["return"]
