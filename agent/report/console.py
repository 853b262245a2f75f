"""A word at the console: where the only way out is dead, nobody can log in from outside.

agetty(8) shows issue.d/*.issue above the login prompt (by way of a link in /etc,
systemd/nodemend.tmpfiles). It watches no issue file: it reads them as it starts, so after a login
or Ctrl-D, and on `agetty --reload`; Enter at a prompt that waits already prints the prompt alone
(term-utils/agetty.c of util-linux 2.38, get_logname and wait_for_term_input). pam_motd(8) shows
/run/motd.d after the login, and reads it as the user.
"""

from __future__ import annotations

import contextlib
import os
import textwrap
from pathlib import Path

from agent.background import Background
from agent.model.snapshot import Snapshot
from agent.model.state import Nic
from agent.report.next_step import next_step, worst_first
from agent.report.when import clock_time

FILES = (Path("run/issue.d/nodemend.issue"), Path("run/motd.d/nodemend"))
# A prompt that waits already is printed anew when this file's times change: that is all that
# `agetty --reload` does (util-linux, AGETTY_RELOAD_FILENAME).
RELOAD = Path("run/agetty.reload")
DEAD_STATES = ("gone", "disabled", "down", "wedged")
DEAD_SECONDS = 5  # a flap is over by then
# What fits a screen of 80 x 25, with the distribution's own issue and the prompt.
COLUMNS = 78
LINES_MAX = 20
LINES_OF_A_SENTENCE_MAX, LINES_OF_NEXT_STEP_MAX = 2, 3
_SECOND_NS = 1_000_000_000


def message(snapshot: Snapshot) -> str | None:
    """What to show; None where there is a way out, or where that is not known."""
    ways_out = [nic for nic in worst_first(snapshot.state.nics) if nic.uplink_seen]
    if not ways_out or not all(_is_dead(nic, snapshot) for nic in ways_out):
        return None
    lines = ["", "nodemend: THIS NODE HAS NO WORKING UPLINK", ""]
    end = ["More: `nodemend status`, `journalctl -xu nodemend`.", ""]
    for place, nic in enumerate(ways_out):
        about = _about(nic)
        if len([*lines, *about, *end]) >= LINES_MAX:  # one is left for how many are not shown
            lines.append(f"Dead as well: {len(ways_out) - place} more of its NICs.")
            break
        lines += about
    return "\n".join([*lines, *end]) + "\n"


def _is_dead(nic: Nic, snapshot: Snapshot) -> bool:
    health = nic.senses.health
    if health is None or health.state not in DEAD_STATES:
        return False
    return snapshot.at.boottime_ns - health.since.boottime_ns >= DEAD_SECONDS * _SECOND_NS


def _about(nic: Nic) -> list[str]:
    health = nic.senses.health
    if health is None:
        return []
    since = clock_time(health.since.wall_ns / _SECOND_NS)
    device = nic.link.device if nic.link else "no interface"
    steps = ", ".join(f"{step} {total} time(s)" for step, total in nic.attempts_total.items())
    sentences = (
        f"{nic.nic} ({device}) is {health.state.upper()} since {since}.",
        *health.evidence[:2],
        f"Steps taken: {steps or 'none'}.",
        f"Next: {next_step(nic)}",
    )
    *facts, to_do = sentences
    lines = [line for words in facts for line in _wrapped(words, LINES_OF_A_SENTENCE_MAX)]
    return [*lines, *_wrapped(to_do, LINES_OF_NEXT_STEP_MAX), ""]


def _wrapped(words: str, lines_max: int) -> list[str]:
    return textwrap.wrap(
        _plain(words), COLUMNS, subsequent_indent="  ", max_lines=lines_max, placeholder=" ..."
    )


def _plain(words: str) -> str:
    """Kernel messages and names are not ours: only what cannot move a cursor."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in words)


class Console:
    """Keeps the files as they should be; what may block is done on a thread of its own."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Whatever an earlier run left there is dealt with by the first `show`."""
        self._paths = tuple(root / file for file in FILES)
        self._reload = root / RELOAD
        self._shown: str | None = "unknown"
        self._worker: Background[str | None] = Background("console", self._write, 4)

    def show(self, snapshot: Snapshot) -> None:
        """At each turn of the loop: costs a comparison."""
        wanted = message(snapshot)
        if wanted != self._shown and self._worker.offer(wanted):
            self._shown = wanted

    @property
    def failure(self) -> str | None:
        """Why the word is not there; None where it is, or where this node has no place for it."""
        return self._worker.failure()

    def close(self, deadline_seconds: float) -> bool:
        """Take the word away: from now on nobody knows whether it is true."""
        self._worker.offer(None)
        return self._worker.close(deadline_seconds)

    def _write(self, text: str | None) -> None:
        for path in self._paths:
            if text is None:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
            elif path.parent.is_dir():
                # In an issue file a backslash begins an escape (agetty(8)).
                _replace(path, text.replace("\\", "\\\\") if path.suffix == ".issue" else text)
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._reload)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o644)  # whatever the umask: pam_motd reads it as the user
        file.write(text)
    temporary.replace(path)
