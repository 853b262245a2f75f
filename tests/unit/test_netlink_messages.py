"""The daemon has pyroute2's messages, and not the rest of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOADS = """
import sys
import agent.daemon
wanted = ("pyroute2.netlink.rtnl", "pyroute2.ndb", "sqlite3", "pynvml")
print(*(name for name in wanted if name in sys.modules))
"""


@pytest.mark.allow_subprocess
def test_the_daemon_loads_the_messages_alone() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _LOADS], capture_output=True, text=True, check=True
    )

    assert "pyroute2.netlink.rtnl" == said.stdout.strip()
