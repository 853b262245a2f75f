"""The peaks on disk: a file of its own, since it changes often and must cost the NICs nothing.

A file that cannot be used is set aside, and peaks begin anew; the NICs' budgets know nothing of it.
It is saved once a minute at most, and at the end: a kill loses the minute's peaks.
"""

from __future__ import annotations

import time
from pathlib import Path

from agent.model.gpu import GpuHistory
from agent.store import Record, Spoiled, Store

RECORD = Record("gpu-peaks.json", GpuHistory, format=1, format_min=1)
SAVE_SECONDS = 60.0


class Peaks:
    """What was seen, in memory and on disk."""

    def __init__(self, directory: Path) -> None:
        """Read what was saved; `directory` must exist."""
        self._store = Store(directory, RECORD)
        found = RECORD.load(directory)
        self.history = found if isinstance(found, GpuHistory) else GpuHistory()
        self.spoiled = found if isinstance(found, Spoiled) else None
        if self.spoiled is not None and not self.spoiled.set_aside:
            self._store.refuse(f"{self.spoiled.path}: {self.spoiled.reason}")
        self._saved, self._saved_at = self.history, time.monotonic()

    @property
    def failure(self) -> str | None:
        """Why the peaks are not on disk as they should be."""
        return self._store.failure

    def keep(self, history: GpuHistory) -> None:
        """Hold this from now on, and save it when it is time."""
        self.history = history
        if history is not self._saved and time.monotonic() - self._saved_at >= SAVE_SECONDS:
            self._save()

    def close(self, deadline_seconds: float) -> None:
        """Save what is not saved yet."""
        if self.history is not self._saved:
            self._save()
        self._store.close(deadline_seconds)

    def _save(self) -> None:
        self._saved, self._saved_at = self.history, time.monotonic()
        self._store.save(self.history, lambda _durable: None)
