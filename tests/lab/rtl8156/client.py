"""The host's end: an emulated adapter on a node, one method per fault."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.lab.images import LabError
from tests.lab.node import Node

_REPLUG = """\
import os, sys, time
sys.path.insert(0, "/opt/lab")
from tests.lab.rtl8156 import control
control.ask("unplug", [])
while os.path.exists(sys.argv[1]):
    time.sleep(0.02)
control.ask("plug", ["ss"])
"""


class Rtl8156:
    """The adapter of a node on which rtl8156.service runs; times are the node's own."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def fault(self, name: str, *arguments: str) -> dict[str, Any]:
        """Bring a fault of rtl8156/faults.py about; `realtime_ns` is when it took effect."""
        done = self._node.run(shlex.join(["nic", name, *arguments]), check=False)
        if done.returncode:
            raise LabError(f"nic {name}: {done.stdout}{done.stderr}")
        return dict(json.loads(done.stdout))

    def link_down(self) -> dict[str, Any]:
        return self.fault("link_down")

    def link_up(self) -> dict[str, Any]:
        return self.fault("link_up")

    def unplug(self) -> dict[str, Any]:
        return self.fault("unplug")

    def plug(self, specimen: str = "ss") -> dict[str, Any]:
        return self.fault("plug", specimen)

    def replug(self, gone: str) -> None:
        """Out, and in again once this file is gone: by one process, where two take seconds."""
        self._node.run(f"python3 -c {shlex.quote(_REPLUG)} {shlex.quote(gone)}")

    def truth(self) -> dict[str, Any]:
        """Counters and log since the emulator started."""
        return self.fault("truth")
