"""Carries out actions, one at a time, each in a child process with a deadline.

A child that cannot be killed (stuck in the kernel) is reported as timed out and never waited
for; while it lives no further action begins, since it still holds the device's lock.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from agent.act.child import BEGUN, DONE, REFUSED
from agent.codec import to_json
from agent.model.actions import (
    Action,
    ActionOutcome,
    CycleConfiguration,
    PowerCyclePort,
    Reauthorize,
)

# Counted from when the process comes to its action. A machine that swaps takes long to start one,
# and to kill it for that would leave the NIC unrepaired just when the node is in need.
DEADLINE_SECONDS = 10.0
START_SECONDS = 30.0
# A device that is configured anew answers dozens of requests of its driver, of which each may
# take 5 s (USB_CTRL_GET_TIMEOUT). A plug is off for as long as the action says, and its two ports
# are switched twice.
ENUMERATION_SECONDS = 20.0
SWITCHING_SECONDS = 20.0
KILL_SECONDS = 2.0
ACTIONS_MAX = 16
_WORDS_BYTES_MAX = 2000
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_OUTCOMES: dict[int, ActionOutcome] = {DONE: "done", REFUSED: "refused"}


@dataclass(frozen=True)
class Ending:
    """What became of an action."""

    action: Action
    outcome: ActionOutcome
    detail: str


@dataclass
class _Running:
    action: Action
    process: subprocess.Popen[bytes]
    pidfd: int
    seconds: float
    deadline: float
    begun: bool = False  # it is at its action, and may hang in it
    killed: bool = False


def deadline_seconds(action: Action) -> float:
    """How long an action may take, once begun, before its process is killed."""
    match action:
        case PowerCyclePort():
            return action.off_seconds + SWITCHING_SECONDS
        case Reauthorize() | CycleConfiguration():
            return ENUMERATION_SECONDS
        case _:
            return DEADLINE_SECONDS


class Actor:
    """Starts actions and tells how they ended; never blocks its caller."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._waiting: deque[Action] = deque()
        self._running: _Running | None = None
        self._stuck: list[subprocess.Popen[bytes]] = []

    def start(self, action: Action) -> list[Ending]:
        """Queue an action; the endings returned are those known at once (a refusal)."""
        if len(self._waiting) >= ACTIONS_MAX:
            return [Ending(action, "busy", f"{ACTIONS_MAX} actions are waiting already")]
        self._waiting.append(action)
        return self.poll()

    def fileno(self) -> int | None:
        """Readable when the running child ended; None while there is none."""
        return self._running.pidfd if self._running else None

    def poll(self) -> list[Ending]:
        """Collect what ended, enforce the deadline, begin what waits."""
        endings = []
        if self._running is not None and (ending := self._check(self._running)):
            endings.append(ending)
        self._stuck = [process for process in self._stuck if process.poll() is None]
        while self._running is None and self._waiting:
            action = self._waiting.popleft()
            if self._stuck:
                words = "an earlier action still hangs in the kernel"
                endings.append(Ending(action, "busy", words))
                continue
            try:
                self._running = _spawn(action)
            except OSError as error:
                endings.append(Ending(action, "failed", f"cannot start a process: {error}"))
        return endings

    def close(self) -> None:
        """Kill what runs; what it leaves half done, the inverse in the saved state takes back."""
        if self._running is not None:
            self._running.process.kill()

    def _check(self, running: _Running) -> Ending | None:
        if select.select([running.pidfd], [], [], 0)[0]:
            running.begun = running.begun or _has_begun(running.process)
            words = _words(running.process)
            status = running.process.wait()
            return self._end(running, _outcome(status, running), words)
        now = time.monotonic()
        if not running.begun and not running.killed and _has_begun(running.process):
            running.begun, running.deadline = True, now + running.seconds
        if now < running.deadline:
            return None
        if not running.killed:
            running.process.kill()
            running.killed = True
            running.deadline = now + KILL_SECONDS
            return None
        self._stuck.append(running.process)
        return self._end(running, "timed_out", "it hangs in the kernel and cannot be killed")

    def _end(self, running: _Running, outcome: ActionOutcome, words: str) -> Ending:
        os.close(running.pidfd)
        if running.process.stdout is not None:
            running.process.stdout.close()
        self._running = None
        if outcome == "timed_out" and not words:
            words = f"no end within {running.seconds:.0f} s"
        if outcome == "busy":
            words = f"this machine did not come to start it within {START_SECONDS:.0f} s"
        return Ending(running.action, outcome, words)


def _spawn(action: Action) -> _Running:
    process = subprocess.Popen(
        [sys.executable, "-m", "agent.act.child", to_json(action)],
        cwd=_PACKAGE_PARENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        # Nobody could watch over it: it must not run.
        with process:
            process.kill()
        raise
    deadline = time.monotonic() + START_SECONDS
    return _Running(action, process, pidfd, deadline_seconds(action), deadline)


def _has_begun(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has said so; its end, which can be read as well, says nothing."""
    pipe = process.stdout
    if pipe is None or not select.select([pipe], [], [], 0)[0]:
        return False
    return os.read(pipe.fileno(), len(BEGUN)) == BEGUN


def _outcome(status: int, running: _Running) -> ActionOutcome:
    if running.killed:
        return "timed_out" if running.begun else "busy"
    return _OUTCOMES.get(status, "failed")


def _words(process: subprocess.Popen[bytes]) -> str:
    """The child's last words; it has ended, so the pipe cannot block."""
    if process.stderr is None:
        return ""
    with process.stderr as pipe:
        return pipe.read(_WORDS_BYTES_MAX).decode(errors="replace").strip()
