"""Restarts of systemd-networkd, by its main process: none is missed that lasts a turn of the loop.

Not over D-Bus: a node may have none. And not by what it does: a restart that deletes nothing is
worth knowing as well, since the next one may.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

from agent.model.facts import Fact
from agent.model.facts_of_cni import NetworkdRestarted
from agent.observe import clock

LOOK_SECONDS = 1.0
_CGROUPS = ("sys/fs/cgroup", "sys/fs/cgroup/systemd", "sys/fs/cgroup/unified")
_PROCS = "system.slice/systemd-networkd.service/cgroup.procs"


class NetworkdWatch:
    """Holds on to the process that there is, and looks for the next one when it ends."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Nothing is held; the first one that is found is no restart."""
        self._root = root
        self._pidfd: int | None = None
        self._seen = False
        self._looked_at = -LOOK_SECONDS

    def fileno(self) -> int | None:
        """Readable when the process has ended; None while there is none."""
        return self._pidfd

    def read(self) -> list[Fact]:
        """What has happened."""
        if self._pidfd is not None and select.select([self._pidfd], [], [], 0)[0]:
            self.close()
            self._looked_at = -LOOK_SECONDS
        now = time.monotonic()
        if self._pidfd is not None or now - self._looked_at < LOOK_SECONDS:
            return []
        self._looked_at = now
        self._pidfd = self._find()
        if self._pidfd is None:
            return []
        is_another, self._seen = self._seen, True
        return [NetworkdRestarted(clock.now())] if is_another else []

    def close(self) -> None:
        """Let go of it."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def _find(self) -> int | None:
        """The first process of its control group, held; None where there is none."""
        for base in _CGROUPS:
            with contextlib.suppress(OSError, ValueError, IndexError):
                first = (self._root / base / _PROCS).read_text(encoding="ascii").split()[0]
                return os.pidfd_open(int(first))
        return None
