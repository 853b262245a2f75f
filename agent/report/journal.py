"""Verdicts to the journal, and to the terminal where somebody is looking at one.

Off the loop: sd_journal_send blocks while journald does (its socket's buffer is full).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from agent.background import Background
from agent.model.identity import Stamp
from agent.model.verdicts import Verdict
from agent.report import catalog

LINES_MAX = 1000
JOURNALD_SOCKET = Path("/run/systemd/journal/socket")

Send = Callable[..., None]


class Journal:
    """Tells each verdict once to journald, if there is one, and to `terminal`, if given."""

    def __init__(
        self, send: Send | None, terminal: TextIO | None, journald: Path = JOURNALD_SOCKET
    ) -> None:
        """`send` is systemd.journal.send, or None where it cannot be had; `journald` its socket."""
        self._send = send
        self._journald = journald
        self._terminal = terminal
        self._worker: Background[tuple[Stamp, Verdict]]
        self._worker = Background("journal", self._write, LINES_MAX)

    def tell(self, at: Stamp, verdict: Verdict) -> None:
        """Queue an event; where journald is stuck, lines beyond the bound are counted as lost."""
        self._worker.offer((at, verdict))

    @property
    def dropped_total(self) -> int:
        """Events that found the queue full."""
        return self._worker.dropped_total

    @property
    def failure(self) -> str | None:
        """Why lines do not arrive; None while all is well."""
        if self._send is not None and not self._journald.exists():
            # sd_journal_sendv() takes that for success (libsystemd, journal-send.c).
            return f"{self._journald} is gone, and what is sent is lost without a word"
        return self._worker.failure()

    def close(self, deadline_seconds: float) -> bool:
        """Write what is queued; False where that took too long."""
        return self._worker.close(deadline_seconds)

    def _write(self, item: tuple[Stamp, Verdict]) -> None:
        at, verdict = item
        text = catalog.line(verdict)
        event = catalog.EVENTS[type(verdict)]
        if self._terminal is not None:
            with contextlib.suppress(OSError):  # a terminal that was closed
                self._terminal.write(f"{text}\n")
                self._terminal.flush()
        if self._send is not None:
            self._send(
                text,
                MESSAGE_ID=event.message_id,
                PRIORITY=str(event.priority),
                SYSLOG_IDENTIFIER="nodemend",
                # When it happened; the journal's own stamp says when the line was written.
                NODEMEND_OBSERVED_USEC=str(at.wall_ns // 1000),
                **catalog.fields(verdict),
            )


def open_journal() -> tuple[Journal, tuple[str, ...]]:
    """The journal as this machine has it, and what is missing of it, in words."""
    send, missing = _journald()
    # systemd sets JOURNAL_STREAM where stderr is the journal already (systemd.exec(5)).
    to_terminal = send is None or "JOURNAL_STREAM" not in os.environ
    return Journal(send, sys.stderr if to_terminal else None), missing


def _journald() -> tuple[Send | None, tuple[str, ...]]:
    try:
        journal = importlib.import_module("systemd.journal")  # python3-systemd, if it is there
    except ImportError:
        words = (
            "the journal: python3-systemd cannot be imported "
            "(as root: apt-get install python3-systemd), so events are only printed"
        )
        return None, (words,)
    if not JOURNALD_SOCKET.exists():
        return None, ("the journal: no journald runs here, so events are only printed",)
    return journal.send, ()
