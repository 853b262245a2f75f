"""The loop that joins the rooms. Facts come in, decisions go out:

    rtnetlink events ---+
    network events -----+                                 +--> Ask  --> intake ---+
    kernel's log -------+--> _observe --> decide(state) --+--> Act  --> actor  ---+--> facts
    answers ------------+                                 |                       |
    ended actions ------+       one fact at a time        +--> Wake --> waiting --+
    due times, signals -+                                 +--> Tell --> journal

Nothing in here waits for the kernel, the disk or a client: whatever may block lives behind
a bounded queue (agent/background.py) or in a child process (agent/act/actor.py).
"""

from __future__ import annotations

import signal
import time
from collections import deque
from functools import partial
from types import FrameType

from agent.act.actor import Actor, Ending
from agent.act.entries import PuttingBack
from agent.audit_monitor import AuditMonitor
from agent.decide import decide, go_ahead
from agent.decide.permission import mode_in_force
from agent.gpu_monitor import GpuMonitor
from agent.intake import Inbox, Intake
from agent.keeper import Keeper
from agent.lock import lock
from agent.model.actions import Action
from agent.model.facts import (
    ActionEnded,
    ConfigRead,
    ConfigReadFailed,
    Fact,
    Started,
    Stopping,
    StoreSpoiled,
)
from agent.model.facts_of_cni import Attempt, EntriesPutBack
from agent.model.outputs import Act, Ask, Output, Tell, Wake
from agent.model.outputs_of_cni import PutBack
from agent.model.snapshot import Snapshot
from agent.model.state import State
from agent.observe import clock
from agent.observe.blind_spots import NO_PROBES, blind_spots, may_probe
from agent.orders import Orders
from agent.places import Places
from agent.report.console import Console
from agent.report.control import ControlServer
from agent.report.incident_files import IncidentFiles
from agent.report.journal import open_journal
from agent.report.notify import Systemd, in_words
from agent.report.recorder import Recorder
from agent.serving import Origin, Serving
from agent.soundness import Soundness
from agent.sources import JOURNAL, KERNEL_LOG, PROBE, READINGS, Sources
from agent.store import STATE, Spoiled, Store
from agent.waiting import Waiting

CLOSE_SECONDS = 1.0
# For the inverse of a step that is cut off: the step's own end, then the inverse's, each with the
# actor's deadline. The unit's TimeoutStopSec= is longer.
TAKE_BACK_SECONDS = 25.0


class Daemon:
    """One node's daemon, from start to end."""

    def __init__(self, origin: Origin, places: Places, version: str) -> None:
        """Open everything that can fail at start. ConfigError, OSError, lock.AlreadyRunning."""
        self._places, self._version = places, version
        self._state, self._started = State(), clock.now()
        self._recorded_actions: deque[tuple[Action, bool]] = deque()  # with: is it on disk?
        self._stop_reason: str | None = None
        self._waiting, self._reload_wanted = Waiting(), False
        self._systemd, self._sources = Systemd(), Sources()
        self._inbox = Inbox(self._waiting.ring)
        deliver = self._inbox.deliver
        self.serving = Serving(origin, lambda: self._snapshot, deliver)
        self._policy = self.serving.config.policy
        for directory in (places.state, places.runtime, places.recording):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock(places)
        self._journal, self._journal_missing = open_journal()
        self._incidents = IncidentFiles(places.incidents, version)
        self._recorder = Recorder(places.recording, version, self._incidents.take)
        self._store = Store(places.state, STATE)
        self._keeper, self._actor = Keeper(self._store), Actor()
        self._intake = Intake(self._inbox)
        self._putting_back = PuttingBack(self._was_put_back)
        self._sources.absent(JOURNAL, "; ".join(self._journal_missing))
        self._sources.absent(KERNEL_LOG, self._intake.kernel_log.missing or "")
        self._sources.absent(PROBE, "" if may_probe() else NO_PROBES)
        self._gpu = GpuMonitor(places.state, self._policy.gpu, deliver)
        self._audit = AuditMonitor(deliver)
        self._console, self._snapshot = Console(), self._look()
        self._control = ControlServer(
            places.control_socket,
            lambda: self._snapshot,
            Orders(deliver, self._gpu.release),
        )
        self.serving.open()
        self._soundness = Soundness(
            self._sources,
            self.serving,
            self._control,
            self._journal,
            self._recorder,
            self._incidents,
            self._gpu,
            self._audit,
            rtnetlink=lambda: self._intake.links.failure,
            network=lambda: self._intake.network.failure,
            kernel_log=lambda: self._intake.kernel_log.failure,
            store=lambda: self._store.failure,
            console=lambda: self._console.failure,
        )

    def run(self) -> bool:
        """Until a signal: observe, decide, dispatch, publish. Whether no step is left cut off."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._want_reload)
        self._begin()
        self._gpu.start()
        self._audit.start()
        self._systemd.say("READY=1")
        while self._stop_reason is None:
            for fact in self._observe():
                self._take(fact)
            self._keeper.keep(self._state)
            self._publish()
        self._systemd.say("STOPPING=1")
        self._take(Stopping(clock.now(), self._stop_reason))
        is_whole = self._await_inverses()
        self._end()
        return is_whole

    # --- facts in ---------------------------------------------------------------------------

    def _begin(self) -> None:
        restored = STATE.load(self._places.state)
        spoiled = restored if isinstance(restored, Spoiled) else None
        if spoiled is not None and not spoiled.set_aside:
            self._store.refuse(f"{spoiled.path}: {spoiled.reason}")
        durable = None if isinstance(restored, Spoiled) else restored
        missing = (self._intake.kernel_log.missing,) if self._intake.kernel_log.missing else ()
        spots = (*blind_spots(), *self._journal_missing, *missing)
        self._take(Started(clock.now(), self._version, clock.boot_id(), durable, spots))
        if spoiled is not None:
            self._take(StoreSpoiled(clock.now(), spoiled.path, spoiled.reason))
        self._publish()

    def _observe(self) -> list[Fact]:
        """Wait for something to happen, and take it in."""
        self._wait()
        if self._reload_wanted:
            self._reload_wanted = False
            self._systemd.reloading()
            self.serving.reload()
        facts = self._intake.read()
        facts += self._ended_actions()
        facts += self._waiting.due()
        self._sources.judge(READINGS, self._intake.check_deadline())
        facts += self._soundness.look()
        return facts

    def _wait(self) -> None:
        descriptors = (*self._intake.filenos(), self._actor.fileno())
        self._waiting.wait(descriptors, self._intake.at_most_seconds())

    def _ended_actions(self) -> list[Fact]:
        endings: list[Ending] = []
        for _ in range(len(self._recorded_actions)):
            endings += self._carry_out(*self._recorded_actions.popleft())
        endings += self._actor.poll()
        return [ActionEnded(clock.now(), e.action, e.outcome, e.detail) for e in endings]

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stop_reason = f"received {signal.Signals(number).name}"
        self._waiting.ring()

    def _want_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload_wanted = True
        self._waiting.ring()

    # --- decisions out ----------------------------------------------------------------------

    def _take(self, fact: Fact) -> None:
        """The heart: one fact, one decision, recorded, counted, dispatched."""
        before = self._state
        self._state, outputs = decide(before, fact, self._policy)
        self._recorder.record(before, self._state, fact, outputs, self._policy)
        if isinstance(fact, ConfigRead) and fact.policy is not None:
            self._policy = fact.policy
            self._gpu.use(fact.policy.gpu)
        self._sources.count(fact)
        for output in outputs:
            self._dispatch(output, fact)
        if isinstance(fact, ConfigRead | ConfigReadFailed) and fact.file == "config":
            self._systemd.reloaded()

    def _dispatch(self, output: Output, fact: Fact) -> None:
        match output:
            case Ask(question):
                self._intake.ask(question)
            case Wake(at_boottime_ns, topic):
                self._waiting.wake_at(at_boottime_ns, topic)
            case Tell(verdict):
                self._journal.tell(fact.at, verdict)
            case Act(action):
                self._act(action)

    def _act(self, action: Action | PutBack) -> None:
        if isinstance(action, PutBack):
            self._put_back(action)
        elif go_ahead.ends_a_step(self._state, action):
            self._action_recorded(action, durable=True)  # with its step: no disk is waited for
        else:  # no durable record, no step
            self._keeper.keep_now(self._state, partial(self._action_recorded, action))

    def _put_back(self, action: PutBack) -> None:
        """Nothing of it is half done when it is cut off: no disk is waited for."""
        if mode_in_force(self._state, self._policy) == "remediate":
            self._putting_back.start(action)
        else:
            self._putting_back.refuse(action, "the mode in force is observe")

    def _was_put_back(self, action: PutBack, attempts: tuple[Attempt, ...]) -> None:
        self._inbox.deliver(EntriesPutBack(clock.now(), action.number, attempts))

    def _action_recorded(self, action: Action, durable: bool) -> None:
        self._recorded_actions.append((action, durable))
        self._waiting.ring()

    def _carry_out(self, action: Action, durable: bool) -> list[Ending]:
        unsaved = None if durable else str(self._store.failure)
        refusal = go_ahead.refusal(self._state, self._policy, action, unsaved)
        return [Ending(action, "busy", refusal)] if refusal else self._actor.start(action)

    # --- what others see, and the end -------------------------------------------------------

    def _publish(self) -> None:
        self._snapshot = self._look()
        self._console.show(self._snapshot)
        self._systemd.progress(in_words(self._snapshot))

    def _look(self) -> Snapshot:
        return Snapshot(
            version=self._version,
            mode=mode_in_force(self._state, self._policy),
            policy=self._policy,
            config_path=self.serving.config.path,
            started=self._started,
            at=clock.now(),
            state=self._state,
            sources=self._sources.as_mapping(),
            gpu=self._gpu.view,
        )

    def _await_inverses(self) -> bool:
        """A step in flight is taken back before the end; other facts decide nothing any more."""
        deadline = time.monotonic() + TAKE_BACK_SECONDS
        while any(nic.step and nic.step.inverse for nic in self._state.nics.values()):
            if time.monotonic() > deadline:
                return False  # it stays on record, and the unit's ExecStopPost= tries once more
            self._wait()
            for fact in self._ended_actions():
                self._take(fact)
            self._publish()
        return True

    def _end(self) -> None:
        self._keeper.keep_now(self._state, lambda _durable: None)
        self._gpu.close(CLOSE_SECONDS)
        self._audit.close(CLOSE_SECONDS)
        workers = (self.serving, self._control, self._actor, self._putting_back, self._intake)
        for worker in workers:
            worker.close()
        for writer in (self._console, self._journal, self._recorder, self._incidents, self._store):
            writer.close(CLOSE_SECONDS)
        self._lock.close()
