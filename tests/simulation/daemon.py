"""The loop around decide, and what a unit does with it: starts, ends, kills, `nodemend undo`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from agent.codec import from_json, to_json
from agent.decide import decide, go_ahead
from agent.keeper import durable_of
from agent.model.actions import Action
from agent.model.facts import (
    ActionEnded,
    ConfigRead,
    Fact,
    KernelLogRead,
    LinkGone,
    LinkSeen,
    SourceGap,
    Started,
    Stopping,
    TimeReached,
)
from agent.model.kernel_log import KernelMessage
from agent.model.outputs import Act, Ask, FollowKernelLog, Output, Question, ReopenLinkEvents, Wake
from agent.model.outputs_of_cni import PutBack
from agent.model.policy import Policy
from agent.model.state import Durable, State
from tests.builders import SECOND_NS
from tests.simulation.actor import Actor
from tests.simulation.answers import Answers
from tests.simulation.kernel import Kernel
from tests.simulation.performing import Performing
from tests.simulation.watch import Decided, Watch

SAVE_SECONDS = 2
TAKE_BACK_SECONDS = 25


class Daemon:
    """A daemon that may be killed and started anew; what is on disk stays."""

    def __init__(
        self, kernel: Kernel, answers: Answers, performing: Performing, policy: Policy, watch: Watch
    ) -> None:
        self.kernel, self.policy, self._watch = kernel, policy, watch
        self._answers, self._performing = answers, performing
        self.state, self.runs, self.alive, self.stopping = State(), 0, False, False
        self.recorded: list[Decided] = []
        self.deaf = False  # link events are lost
        self.disk_full = False
        self.acting: Callable[[Action], None] = lambda _action: None
        self.disk: Durable | None = None
        self._saved_ns, self._saved = 0, State()
        self._saves = count(1)
        self._on_disk = 0  # which of the saves: a later one is never overtaken by an earlier one
        self._wakes: dict[str, int] = {}
        self._log_from: int | None = None  # None: not followed
        self._log_due = False
        self._actor = Actor(kernel, performing, self._action_ended)
        kernel.tell, kernel.logged = self._link_event, self._logged

    # --- its life -----------------------------------------------------------------------------

    def start(self) -> None:
        self.runs += 1
        self.alive, self.stopping, self.state = True, False, State()
        self._wakes, self._log_from, self._log_due = {}, None, False
        self._actor = Actor(self.kernel, self._performing, self._action_ended)
        boot_id = f"boot-{self.kernel.boot}"
        restored = from_json(to_json(self.disk), Durable) if self.disk else None
        self.take(Started(self.kernel.now(), "1.2.3", boot_id, restored, ()))

    def kill(self) -> None:
        """At any moment: what was saved last is all that is left."""
        self.alive = False
        self._actor.cut_off()

    def undo(self, done: Callable[[], None]) -> None:
        """The unit's ExecStopPost=, as agent/undo.py does it; `done` when it has ended."""
        disk = self.disk
        if disk is None or disk.boot_id != f"boot-{self.kernel.boot}":
            done()
            return
        left = [(c, nic.step.inverse) for c, nic in disk.nics.items() if nic.step]
        inverses = [(connector, inverse) for connector, inverse in left if inverse]
        if not inverses:
            done()
            return

        def ended(fact: ActionEnded) -> None:
            connector, _ = inverses.pop(0)
            if fact.outcome in ("done", "refused") and self.disk:
                nic = replace(self.disk.nics[connector], step=None)
                self.disk = replace(self.disk, nics={**self.disk.nics, connector: nic})
            if not inverses:
                done()

        actor = Actor(self.kernel, self._performing, ended)
        for _, inverse in tuple(inverses):
            actor.start(inverse)

    def stop(self, done: Callable[[bool], None]) -> None:
        """In order: what is cut off is taken back first; `done` hears whether all of it was."""
        self.take(Stopping(self.kernel.now(), "received SIGTERM"))
        self.stopping = True
        deadline_ns = self.kernel.timeline.now_ns + TAKE_BACK_SECONDS * SECOND_NS

        def look() -> None:
            cut_off = any(nic.step and nic.step.inverse for nic in self.state.nics.values())
            if cut_off and self.kernel.timeline.now_ns < deadline_ns:
                self._later(0.1, look)
                return
            self.alive = False
            self.disk = self.disk if self.disk_full else durable_of(self.state)
            self._actor.cut_off()
            done(not cut_off)

        look()

    # --- facts in -----------------------------------------------------------------------------

    def take(self, fact: Fact) -> None:
        """One fact, one decision, recorded, looked at, dispatched."""
        if not self.alive or (self.stopping and not isinstance(fact, ActionEnded)):
            return
        before, policy = self.state, self.policy
        self.state, outputs = decide(before, fact, policy)
        decided = Decided(fact, outputs, policy)
        self.recorded.append(decided)
        if isinstance(fact, ConfigRead) and fact.policy is not None:
            self.policy = fact.policy
        self._watch.decided(before, decided, self.state)
        for output in outputs:
            self._dispatch(output)
        self._keep()

    def gap(self, reason: str) -> None:
        self.take(SourceGap(self.kernel.now(), "rtnetlink", reason))

    def overrun(self) -> None:
        """The kernel's log wrote over what had not been read."""
        if self._log_from is not None and self.kernel.log:
            lost = len([m for m in self.kernel.log if m.sequence > (self._log_from or 0)])
            self._log_from = self.kernel.log[-1].sequence
            self.take(KernelLogRead(self.kernel.now(), self._log_from, lost, ()))

    def _link_event(self, fact: Fact) -> None:
        assert isinstance(fact, LinkSeen | LinkGone)
        if not self.deaf:
            self.take(fact)

    def _logged(self) -> None:
        if self._log_from is not None and not self._log_due:
            self._log_due = True
            self._later(self.kernel.random.uniform(0.001, 0.3), self._read_log)

    def _read_log(self) -> None:
        self._log_due = False
        new = [m for m in self.kernel.log if m.sequence > (self._log_from or 0)]
        if new and not self.stopping:
            self._log_from = new[-1].sequence
            merged: dict[tuple[str, str], KernelMessage] = {}
            for message in new:
                key = (message.message_class, message.subject)
                before = merged.pop(key, None)
                seen = before.count if before else 0
                merged[key] = replace(message, count=seen + 1)
            messages = tuple(merged.values())
            self.take(KernelLogRead(self.kernel.now(), self._log_from, 0, messages))

    def _action_ended(self, fact: ActionEnded) -> None:
        self.take(replace(fact, at=self.kernel.now()))

    # --- decisions out ------------------------------------------------------------------------

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        """Unless it has ended by then."""
        run = self.runs
        self.kernel.timeline.after(
            seconds, lambda: do() if self.alive and self.runs == run else None
        )

    def _dispatch(self, output: Output) -> None:
        match output:
            case Ask(question):
                self._ask(question)
            case Wake(at_boottime_ns, topic):
                self._wakes[topic] = at_boottime_ns
                seconds = (at_boottime_ns - self.kernel.now().boottime_ns) / SECOND_NS
                self._later(max(0.0, seconds), lambda: self._due(topic, at_boottime_ns))
            case Act(action) if not isinstance(action, PutBack):  # no CNI is at work here
                state, number = self.state, next(self._saves)
                seconds = self.kernel.random.uniform(0.005, 0.2)
                self._later(seconds, lambda: self._recorded(action, state, number))

    def _due(self, topic: str, at_boottime_ns: int) -> None:
        if self._wakes.get(topic) == at_boottime_ns:
            del self._wakes[topic]
            self.take(TimeReached(self.kernel.now(), topic))

    def _ask(self, question: Question) -> None:
        match question:
            case FollowKernelLog(after_sequence):
                self._log_from = after_sequence or 0
                self._logged()
            case ReopenLinkEvents(reason):
                self.deaf = False
                self._later(0.001, lambda: self.gap(reason))
            case _:
                run = self.runs
                self._answers.ask(
                    question, lambda fact: self.take(fact) if self.runs == run else None
                )

    def _recorded(self, action: Action, state: State, number: int) -> None:
        """It stands on disk; as `_carry_out` in agent/daemon.py."""
        self._save(state, number)
        unsaved = "no space left on device" if self.disk_full else None
        refusal = go_ahead.refusal(self.state, self.policy, action, unsaved)
        if refusal is not None:
            self.take(ActionEnded(self.kernel.now(), action, "busy", refusal))
            return
        self._watch.carried_out(action, self.state, self.policy)
        self.acting(action)
        self._actor.start(action)

    def _keep(self) -> None:
        """At once where a restart would need it, else within seconds (agent/keeper.py)."""
        now_ns, before = self.kernel.timeline.now_ns, self._saved
        if self.state is before:
            return
        netdevs = [nic.link and (nic.link.ifindex, nic.was_up) for nic in self.state.nics.values()]
        saved = [nic.link and (nic.link.ifindex, nic.was_up) for nic in before.nics.values()]
        if netdevs != saved or now_ns - self._saved_ns >= SAVE_SECONDS * SECOND_NS:
            self._saved, self._saved_ns = self.state, now_ns
            state, number = self.state, next(self._saves)
            self._later(0.02, lambda: self._save(state, number))

    def _save(self, state: State, number: int) -> None:
        if number > self._on_disk and not self.disk_full:
            self.disk, self._on_disk = durable_of(state), number
