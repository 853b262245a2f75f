"""The host's end: an emulated adapter on a node, one method per fault."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.lab.images import LabError
from tests.lab.node import Node


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

    def truth(self) -> dict[str, Any]:
        """Counters and log since the emulator started."""
        return self.fault("truth")
