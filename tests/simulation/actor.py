"""Carries out actions one at a time, each with a deadline, as agent/act/actor.py does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from agent.act.actor import deadline_seconds
from agent.model.actions import Action, ActionOutcome
from agent.model.facts import ActionEnded
from tests.builders import SECOND_NS
from tests.simulation.kernel import Kernel
from tests.simulation.performing import Failed, Performing, Refused


class Actor:
    """Killed with the daemon: what it is at stays half done."""

    def __init__(
        self, kernel: Kernel, performing: Performing, ended: Callable[[ActionEnded], None]
    ) -> None:
        self._kernel, self._performing, self._ended = kernel, performing, ended
        self._waiting: deque[Action] = deque()
        self._running: Iterator[float] | None = None

    def start(self, action: Action) -> None:
        self._waiting.append(action)
        self._begin()

    def cut_off(self) -> None:
        self._waiting.clear()
        self._running = None

    def _begin(self) -> None:
        if self._running is None and self._waiting:
            action = self._waiting.popleft()
            self._running = self._performing.perform(action)
            end_ns = self._monotonic_ns() + int(deadline_seconds(action) * SECOND_NS)
            self._go_on(action, self._running, end_ns)

    def _monotonic_ns(self) -> int:
        """A pause of the machine does not count."""
        return self._kernel.timeline.now_ns - self._kernel.timeline.paused_ns

    def _go_on(self, action: Action, running: Iterator[float], end_ns: int) -> None:
        if self._running is not running:
            return  # killed meanwhile
        try:
            seconds = next(running)
        except StopIteration:
            self._end(action, "done", "")
        except Refused as refusal:
            self._end(action, "refused", str(refusal))
        except Failed as failure:
            self._end(action, "failed", str(failure))
        else:
            timeline = self._kernel.timeline
            left_seconds = (end_ns - self._monotonic_ns()) / SECOND_NS
            if seconds > left_seconds:
                timeline.after(left_seconds, lambda: self._give_up(action, running))
            else:
                timeline.after(seconds, lambda: self._go_on(action, running, end_ns))

    def _give_up(self, action: Action, running: Iterator[float]) -> None:
        if self._running is running:
            self._end(action, "timed_out", "no end in time")

    def _end(self, action: Action, outcome: ActionOutcome, detail: str) -> None:
        self._running = None
        if outcome in ("failed", "timed_out") and action.action_id.startswith("undo-"):
            for nic in self._kernel.nics.values():
                nic.spoiled = nic.spoiled or action.usb_path == nic.path
        self._ended(ActionEnded(self._kernel.now(), action, outcome, detail))
        self._begin()
