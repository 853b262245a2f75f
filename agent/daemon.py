"""The loop that joins the rooms. Facts come in, decisions go out:

    rtnetlink events ---+
    kernel's log -------+                                 +--> Ask  --> inquiry --+
    answers (inquiry) --+--> _observe --> decide(state) --+--> Act  --> actor  ---+--> facts
    ended actions ------+       one fact at a time        +--> Wake --> _wakes ---+
    due times, signals -+                                 +--> Tell --> journal

Nothing in here waits for the kernel, the disk or a client: whatever may block lives behind
a bounded queue (agent/background.py) or in a child process (agent/act/actor.py).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections import deque
from collections.abc import Callable
from functools import partial
from types import FrameType

from agent.act.actor import Actor, Ending
from agent.config import Config, Listen
from agent.decide import decide
from agent.keeper import Keeper
from agent.lock import lock
from agent.model.facts import (
    ActionEnded,
    Fact,
    ForgetRequested,
    ReadFailed,
    Started,
    Stopping,
    StoreSpoiled,
    TimeReached,
)
from agent.model.outputs import Act, Action, Ask, FollowKernelLog, Output, Tell, Wake
from agent.model.snapshot import Snapshot
from agent.model.state import Nic, State
from agent.observe import clock
from agent.observe.blind_spots import NO_PROBES, blind_spots, may_probe
from agent.observe.inquiry import Inquiry
from agent.observe.kernel_log import KernelLog
from agent.observe.rtnetlink import LinkEvents
from agent.places import Places
from agent.report.control import ControlServer
from agent.report.http import Server
from agent.report.journal import open_journal
from agent.report.notify import Systemd
from agent.report.recorder import Recorder
from agent.sources import JOURNAL, KERNEL_LOG, PROBE, READINGS, RECORDING, STORE, Sources
from agent.store import Spoiled, Store, load

TICK_SECONDS = 1.0  # how long the loop sleeps at most: deadlines and the watchdog need a pulse
CLOSE_SECONDS = 1.0
_SECOND_NS = 1_000_000_000


class Daemon:
    """One node's daemon, from start to end."""

    def __init__(self, config: Config, places: Places, version: str) -> None:
        """Open everything that can fail at start. OSError, lock.AlreadyRunning."""
        self._config, self._places, self._version = config, places, version
        for directory in (places.state, places.runtime, places.recording):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock(places)
        self._state = State()
        self._started = clock.now()
        self._wakes: dict[str, int] = {}
        self._inbox: deque[Fact] = deque()  # answers from other threads
        self._recorded_actions: deque[tuple[Action, bool]] = deque()  # with: is it on disk?
        self._stop_reason: str | None = None
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._systemd = Systemd()
        self._sources = Sources()
        self._journal, self._journal_missing = open_journal()
        if self._journal_missing:
            self._sources.absent(JOURNAL, "; ".join(self._journal_missing))
        self._recorder = Recorder(places.recording, version, config.policy)
        self._store = Store(places.state)
        self._keeper = Keeper(self._store)
        self._actor = Actor()
        self._inquiry = Inquiry(self._deliver)
        self._events = LinkEvents()
        self._kernel_log = KernelLog()
        if self._kernel_log.missing:
            self._sources.absent(KERNEL_LOG, self._kernel_log.missing)
        if not may_probe():
            self._sources.absent(PROBE, NO_PROBES)
        self._snapshot = self._look()
        self._control = ControlServer(
            places.control_socket,
            lambda: self._snapshot,
            lambda name: self._deliver(ForgetRequested(clock.now(), name)),
        )
        self._http = _serve(config.listen, lambda: self._snapshot)

    def run(self) -> None:
        """Until a signal: observe, decide, dispatch, publish."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._begin()
        self._systemd.say("READY=1")
        while self._stop_reason is None:
            for fact in self._observe():
                self._take(fact)
            self._keeper.keep(self._state)
            self._publish()
        self._take(Stopping(clock.now(), self._stop_reason))
        self._end()

    # --- facts in ---------------------------------------------------------------------------

    def _begin(self) -> None:
        restored = load(self._places.state)
        if isinstance(restored, Spoiled):
            self._take(StoreSpoiled(clock.now(), restored.path, restored.reason))
            if not restored.set_aside:
                self._store.refuse(f"{restored.path}: {restored.reason}")
            restored = None
        missing = (self._kernel_log.missing,) if self._kernel_log.missing else ()
        spots = (*blind_spots(), *self._journal_missing, *missing)
        self._take(Started(clock.now(), self._version, clock.boot_id(), restored, spots))
        self._publish()

    def _observe(self) -> list[Fact]:
        """Wait for something to happen, and take it in, in an order that keeps listings true.

        An answer in the inbox is younger than every event that the kernel sent before it. So
        the inbox is measured first, then the events are read to their end, and only then the
        answers count: a listing never meets news older than itself (decide/nic.py, rule 3).
        """
        self._wait()
        answers = len(self._inbox)
        facts, read_all = self._events.read()
        if read_all:
            facts += [self._inbox.popleft() for _ in range(answers)]
        facts += self._kernel_log.read()
        for _ in range(len(self._recorded_actions)):
            facts += self._endings(self._carry_out(*self._recorded_actions.popleft()))
        facts += self._endings(self._actor.poll())
        facts += self._due()
        self._sources.judge(READINGS, self._inquiry.check_deadline())
        return facts

    def _wait(self) -> None:
        now_ns = clock.now().boottime_ns
        due_ns = min(self._wakes.values(), default=now_ns + int(TICK_SECONDS * _SECOND_NS))
        if self._inbox:  # left over, because more events were waiting than one turn takes
            due_ns = now_ns
        waited_for = [
            self._events.fileno(),
            self._bell,
            self._actor.fileno(),
            self._kernel_log.fileno(),
        ]
        rest_ns = int(self._kernel_log.rest_seconds() * _SECOND_NS)
        if rest_ns:
            due_ns = min(due_ns, now_ns + rest_ns)
        # A selector made anew each time costs microseconds, and never holds a stale descriptor.
        with selectors.PollSelector() as selector:
            for descriptor in waited_for:
                if descriptor is not None:
                    selector.register(descriptor, selectors.EVENT_READ)
            selector.select(min(TICK_SECONDS, max(0.0, (due_ns - now_ns) / _SECOND_NS)))
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def _due(self) -> list[Fact]:
        at = clock.now()
        topics = [topic for topic, due_ns in self._wakes.items() if due_ns <= at.boottime_ns]
        for topic in topics:
            del self._wakes[topic]
        return [TimeReached(at, topic) for topic in topics]

    def _deliver(self, fact: Fact) -> None:
        """From any thread. Bounded, since each answer has a question (inquiry.QUESTIONS_MAX)."""
        self._inbox.append(fact)
        self._ring()

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stop_reason = f"received {signal.Signals(number).name}"
        self._ring()

    # --- decisions out ----------------------------------------------------------------------

    def _take(self, fact: Fact) -> None:
        """The heart: one fact, one decision, recorded, counted, dispatched."""
        before = self._state
        self._state, outputs = decide(before, fact, self._config.policy)
        self._recorder.record(before, fact, outputs)
        self._sources.count(fact)
        for output in outputs:
            self._dispatch(output, fact)

    def _dispatch(self, output: Output, fact: Fact) -> None:
        match output:
            case Ask(FollowKernelLog(after_sequence)):
                self._kernel_log.follow(after_sequence)
                if self._kernel_log.missing:
                    missing = self._kernel_log.missing
                    self._deliver(ReadFailed(clock.now(), output.question, missing))
            case Ask(question):
                self._inquiry.ask(question)
            case Wake(at_boottime_ns, topic):
                self._wakes[topic] = at_boottime_ns
            case Tell(verdict):
                self._journal.tell(fact.at, verdict)
            case Act(action):
                # No durable record, no step: it begins when the disk has it.
                recorded = partial(self._action_recorded, action)
                self._keeper.keep_now(self._state, recorded)

    def _action_recorded(self, action: Action, durable: bool) -> None:
        self._recorded_actions.append((action, durable))
        self._ring()

    def _carry_out(self, action: Action, durable: bool) -> list[Ending]:
        if not durable:
            return [Ending(action, "refused", f"no durable record: {self._store.failure}")]
        if self._config.policy.mode != "remediate":
            return [Ending(action, "refused", "mode is observe")]
        steps = [nic.step.action_id for nic in self._state.nics.values() if nic.step]
        if action.action_id not in steps:
            return [Ending(action, "refused", "it was given up while the disk was waited for")]
        return self._actor.start(action)

    @staticmethod
    def _endings(endings: list[Ending]) -> list[Fact]:
        return [ActionEnded(clock.now(), e.action, e.outcome, e.detail) for e in endings]

    # --- what others see --------------------------------------------------------------------

    def _publish(self) -> None:
        self._sources.judge(KERNEL_LOG, self._kernel_log.failure)
        self._sources.judge(STORE, self._store.failure)
        self._sources.judge(JOURNAL, self._journal.failure)
        self._sources.judge(RECORDING, self._recorder.failure)
        self._sources.lost(JOURNAL, self._journal.dropped_total)
        self._sources.lost(RECORDING, self._recorder.dropped_total)
        self._snapshot = self._look()
        nics = self._state.nics.values()
        words = ", ".join(f"{nic.nic} {_in_a_word(nic)}" for nic in nics)
        self._systemd.progress(f"{self._config.policy.mode}: {words or 'no NIC'}")

    def _look(self) -> Snapshot:
        return Snapshot(
            version=self._version,
            policy=self._config.policy,
            config_path=self._config.path,
            started=self._started,
            at=clock.now(),
            state=self._state,
            sources=self._sources.as_mapping(),
        )

    def _end(self) -> None:
        self._systemd.say("STOPPING=1")
        self._keeper.keep_now(self._state, lambda _durable: None)
        self._http.close()
        self._control.close()
        self._actor.close()
        self._inquiry.close()
        self._events.close()
        self._kernel_log.close()
        self._journal.close(CLOSE_SECONDS)
        self._recorder.close(CLOSE_SECONDS)
        self._store.close(CLOSE_SECONDS)
        self._lock.close()


def _in_a_word(nic: Nic) -> str:
    if nic.senses.health is not None:
        return nic.senses.health.state
    return "present" if nic.link else "gone"


def _serve(listen: Listen, snapshot: Callable[[], Snapshot]) -> Server:
    try:
        return Server(listen.host, listen.port, snapshot)
    except OSError as error:
        words = f"cannot listen on {listen.host}:{listen.port}: {error.strerror}"
        raise OSError(f"{words} (key `listen` of the configuration)") from error
