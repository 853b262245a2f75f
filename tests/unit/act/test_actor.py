"""The actor: one child at a time, with a deadline, never waited for."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.act import actor as actor_module
from agent.act.actor import ACTIONS_MAX, START_SECONDS, Actor, Ending, deadline_seconds
from agent.model.actions import (
    Action,
    BounceLink,
    CycleConfiguration,
    PowerCyclePort,
    PowerPortOn,
    Reauthorize,
    SetUsbPower,
)

# No such device anywhere: the real child refuses, whatever machine this runs on.
EVIDENCE = ("tune-1", "tune", "uplink", 3, "nodemend-none", "99-99", 2)
ACTION = SetUsbPower(*EVIDENCE, "on")

# As the real child says it (agent/act/child.py).
BEGINS = "import os; os.write(1, b'.')"

pytestmark = pytest.mark.allow_subprocess


def wait(actor: Actor, deadline_seconds: float = 30) -> list[Ending]:
    """What ended, by waiting as the daemon does: for the child's descriptor."""
    pidfd = actor.fileno()
    assert pidfd is not None
    select.select([pidfd], [], [], deadline_seconds)
    return actor.poll()


def poll_until_begun(actor: Actor) -> None:
    deadline = time.monotonic() + START_SECONDS
    while actor._running is not None and not actor._running.begun:
        assert time.monotonic() < deadline
        actor.poll()


def runs(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let the child run another program; all the rest stays the actor's own."""
    popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen

    def start(_command: list[str], **options: object) -> subprocess.Popen[bytes]:
        return popen([sys.executable, "-c", program], **options)

    monkeypatch.setattr("agent.act.actor.subprocess.Popen", start)


def test_the_real_child_refuses_what_is_not_there() -> None:
    actor = Actor()

    assert [] == actor.start(ACTION)
    (ending,) = wait(actor)
    assert "refused" == ending.outcome
    assert "99-99/devnum is gone" in ending.detail
    assert actor.fileno() is None


def test_the_real_child_takes_every_kind_of_action() -> None:
    actor = Actor()
    actor.start(PowerCyclePort(*EVIDENCE, "", 15))
    (ending,) = wait(actor)

    assert "refused" == ending.outcome
    assert "usb99-port99 is gone" in ending.detail


@pytest.mark.parametrize(
    ("action", "seconds"),
    [
        (ACTION, 10),
        (BounceLink(*EVIDENCE), 10),
        (PowerPortOn(*EVIDENCE, ""), 10),
        (Reauthorize(*EVIDENCE, 1, "r8152"), 20),
        (CycleConfiguration(*EVIDENCE, 1, "r8152"), 20),
        (PowerCyclePort(*EVIDENCE, "", 15), 35),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_action_has_the_time_that_it_needs(
    action: Action, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted from when it is begun; until then its process has a time of its own."""
    runs(monkeypatch, f"{BEGINS}; import time; time.sleep(600)")
    assert seconds == deadline_seconds(action)
    actor = Actor()
    before = time.monotonic()
    actor.start(action)

    running = actor._running
    assert running is not None
    assert before + START_SECONDS <= running.deadline <= time.monotonic() + START_SECONDS
    poll_until_begun(actor)
    assert before + seconds <= running.deadline <= time.monotonic() + seconds
    actor.close()
    wait(actor)


def test_a_process_that_a_starved_machine_does_not_start_is_no_action(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actor_module, "START_SECONDS", 0.0)
    runs(monkeypatch, "import time; time.sleep(600)")
    actor = Actor()
    actor.start(ACTION)
    actor.poll()

    (ending,) = wait(actor)

    words = "this machine did not come to start it within 0 s"
    assert ("busy", words) == (ending.outcome, ending.detail)


@pytest.mark.parametrize(
    ("program", "outcome", "detail"),
    [
        ("pass", "done", ""),
        ("import sys; sys.exit('it hurts')", "failed", "it hurts"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "failed", ""),
    ],
)
def test_how_a_child_ends_is_the_outcome(
    program: str, outcome: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(monkeypatch, program)
    actor = Actor()
    actor.start(ACTION)

    assert [Ending(ACTION, outcome, detail)] == wait(actor)  # type: ignore[arg-type]


def test_actions_run_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, "pass")
    actor = Actor()
    second = replace(ACTION, action_id="tune-2")
    actor.start(ACTION)
    actor.start(second)

    assert ["tune-1"] == [ending.action.action_id for ending in wait(actor)]
    assert ["tune-2"] == [ending.action.action_id for ending in wait(actor)]


def test_a_child_beyond_its_deadline_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor_module, "DEADLINE_SECONDS", 0.0)
    runs(monkeypatch, f"{BEGINS}; import time; time.sleep(600)")
    actor = Actor()
    actor.start(ACTION)
    poll_until_begun(actor)  # and at once its deadline has passed: killed

    (ending,) = wait(actor)

    assert ("timed_out", "no end within 0 s") == (ending.outcome, ending.detail)


def test_a_child_that_cannot_be_killed_is_reported_and_never_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actor_module, "DEADLINE_SECONDS", 0.0)
    monkeypatch.setattr(actor_module, "KILL_SECONDS", 0.0)
    monkeypatch.setattr(subprocess.Popen, "kill", lambda _self: None)  # as if stuck in the kernel
    runs(monkeypatch, f"{BEGINS}; import time; time.sleep(600)")
    actor = Actor()
    actor.start(ACTION)
    process = actor._running.process if actor._running else None
    poll_until_begun(actor)

    (ending,) = actor.poll()

    assert ("timed_out", True) == (ending.outcome, "cannot be killed" in ending.detail)
    (refused,) = actor.start(replace(ACTION, action_id="tune-2"))
    assert ("busy", "an earlier action still hangs in the kernel") == (
        refused.outcome,
        refused.detail,
    )
    assert process is not None
    process.send_signal(9)
    process.wait(30)
    assert process.stderr is not None
    process.stderr.close()


def test_waiting_actions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, "import time; time.sleep(600)")
    actor = Actor()
    for _ in range(ACTIONS_MAX + 1):
        assert [] == actor.start(ACTION)

    (refused,) = actor.start(ACTION)

    assert "busy" == refused.outcome
    actor._waiting.clear()
    actor.close()
    wait(actor)
