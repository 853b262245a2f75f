"""One random life of a node, from one seed: chaos, quiet, healing, quiet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from agent.model.actions import Action
from agent.model.facts import ConfigRead, PauseRequested, ResumeRequested, Started
from agent.model.outputs import Tell
from tests.builders import SECOND_NS
from tests.simulation.answers import GATEWAYS, SERVER, Answers
from tests.simulation.counting import Counting
from tests.simulation.daemon import Daemon
from tests.simulation.hardware import Hardware
from tests.simulation.invariants import Invariants
from tests.simulation.kernel import Kernel
from tests.simulation.node import NodeTruth
from tests.simulation.performing import Performing
from tests.simulation.policies import random_policy
from tests.simulation.timeline import Timeline
from tests.simulation.watch import (
    Violation,
    check_codec,
    check_incident_files,
    check_replay,
)
from tests.simulation.world import World

MACS = ("6c:1f:f7:1b:e8:c8", "6c:1f:f7:1b:e8:c9", "6c:1f:f7:1b:e8:ca", "6c:1f:f7:1b:e8:cb")
WATCHED_SECONDS = 20
QUIET_SECONDS = 200
HEALING_SECONDS = 60
HEALED_SECONDS = 170
TOLD_LAST = 20
# What may happen grows, and with it every life changes: those that are on record as regressions are
# lived as they were in their time. The second one knows pauses, full disks, silence, half a help.
ERAS = 3


class LifeFailed(AssertionError):
    """A rule was broken; the message is the life's end."""


class Life:
    """The pieces, put together by the dice."""

    def __init__(self, seed: int, era: int = ERAS) -> None:
        self.seed, self.era = seed, era
        self.random, self.timeline = Random(seed), Timeline()
        dice = self.random
        nics = [Hardware(plug, MACS[plug - 1]) for plug in range(1, dice.choice((2, 3, 3)))]
        self.kernel = Kernel(self.timeline, dice, nics, NodeTruth(seed))
        self.kernel.networkd = dice.random() < 0.6
        self.kernel.reauthorizes_generic = dice.random() < 0.5
        self.kernel.switches_over = dice.random() < 0.3
        self.performing = Performing(self.kernel)
        self.counting = Counting(self.kernel)
        self.world = World(self.kernel)
        silent = dice.random() < 0.15
        gateways = {} if silent else {p: g for p, g in GATEWAYS.items() if dice.random() < 0.9}
        self.answers = Answers(self.kernel, gateways)
        self.rules = Invariants(self.world, self.counting)
        self.daemon = Daemon(
            self.kernel, self.answers, self.performing, random_policy(self.random), self.rules
        )
        self.world.replaced = self.rules.replaced
        self.daemon.acting = self._in_step
        self._clock_was_set = False
        self._ambush: Callable[[], None] | None = None
        self.diary: list[str] = []

    # --- how it goes --------------------------------------------------------------------------

    def live(self) -> None:
        """Raises LifeFailed."""
        try:
            self._live()
        except Violation as violation:
            raise LifeFailed(self.epitaph(str(violation))) from violation
        except Exception as error:
            raise LifeFailed(self.epitaph(f"{type(error).__name__}: {error}")) from error

    def _live(self) -> None:
        if self.era > 1:
            self._begin_second_era()
        if self.era > 2:
            self._begin_third_era()
        for nic in self.kernel.nics.values():
            nic.autosuspend = self.random.random() < 0.1
            if not self.kernel.networkd:
                self.timeline.after(2, partial(self.kernel.set_up, nic, "order", up=True))
        self.timeline.run(WATCHED_SECONDS)
        self.world.pulse()
        self.daemon.start()
        self.timeline.run(WATCHED_SECONDS)
        self.counting.begin()
        self.performing.mishaps = self.random.choice((0, 0, 0.05, 0.2))
        self.answers.failing = self.random.choice((0, 0, 0.03, 0.1))
        self.answers.late = self.random.choice((0, 0, 0.03, 0.1))
        self.world.false_alarms = self.random.random() < 0.2
        for _ in range(self.random.randrange(3, 9)):
            self._something_happens()
            self.timeline.run(self.random.choice((2, 10, 40, 90)) * self.random.random())
        self.performing.mishaps = self.answers.failing = self.answers.late = 0
        self.daemon.disk_full = False
        self.timeline.run(QUIET_SECONDS)
        self._up()
        self.rules.nothing_is_left_off(self.daemon.state)
        self._heal()
        self.rules.nothing_is_left_off(self.daemon.state)
        self.rules.climbs_are_closed(self.daemon.state)
        self.rules.incidents_are_closed(self.daemon.state)
        self.rules.counts_are_true(self.daemon.state)
        check_codec(self.daemon.state)
        if self.seed % 10 == 0:
            check_replay(self.daemon.recorded)
            check_incident_files(self.daemon.recorded)

    def _begin_second_era(self) -> None:
        dice = self.random
        self.world.is_later = True
        self.performing.halves = dice.choice((0, 0, 0.3))
        self.answers.server = SERVER if dice.random() < 0.5 else None
        self.answers.manages = "networkd" if self.kernel.networkd else None

    def _begin_third_era(self) -> None:
        self.world.is_latest = True
        self.kernel.gives_up = self.random.choice((0, 0, 0.3))

    def _heal(self) -> None:
        self._write("the world is healed")
        self.performing.halves = self.kernel.gives_up = 0
        self.world.heal()
        self.timeline.run(HEALING_SECONDS)
        self.world.heal()  # what a step that was under way has brought about meanwhile
        self.timeline.run(HEALED_SECONDS)

    def _something_happens(self) -> None:
        nic = self.random.choice(list(self.kernel.nics.values()))
        happenings: list[tuple[int, str, Callable[[], None]]] = [
            (12, f"a fault of {nic.path}", lambda: self._write(self.world.strike(nic))),
            (1, "the router reboots", self.world.router_reboots),
            (1, "the switch reboots", self.world.switch_reboots),
            (1, f"{nic.path} is set down", lambda: self.world.order_down(nic)),
            (1, "the daemon is killed", self._kill),
            (1, "the daemon ends in order", self._stop),
            (1, "the machine reboots", self._reboot),
            (4, "an ambush", self._lie_in_wait),
            (1, "the clock is set", self._set_clock),
            (1, "the configuration is read anew", self._reload),
            (1, "events are lost", self._lose_events),
            (1, "the machine is paused", self._pause),
        ]
        if self.era > 1:
            happenings += [
                (2, "somebody says pause", self._say_pause),
                (1, "somebody says resume", self._say_resume),
                (1, "the disk is full", self._fill_disk),
                (1, "the kernel's log is overrun", self.daemon.overrun),
                (1, "the k3s server restarts", self.world.server_restarts),
            ]
        weights = [weight for weight, _, _ in happenings]
        _, words, happen = self.random.choices(happenings, weights)[0]
        self._write(words)
        happen()

    def _lie_in_wait(self) -> None:
        """In the middle of the next step."""
        victims = list(self.kernel.nics.values())
        later = (self._say_pause, self._fill_disk, self._pause) if self.era > 1 else ()
        self._ambush = self.random.choice(
            (
                *later,
                *(self._kill, self._kill, self._stop, self._stop, self._reboot),
                *(self._reload, self._lose_events),
                lambda: self.world.unplug(self.random.choice(victims)),
                lambda: self.world.order_down(self.random.choice(victims)),
                lambda: self._write(self.world.strike(self.random.choice(victims))),
            )
        )

    def _in_step(self, action: Action) -> None:
        ambush, self._ambush = self._ambush, None
        if ambush is not None:
            self._write(f"an ambush in {action.action_id}")
            seconds = self.random.choice((0.3, 3, 30)) * self.random.random()
            self.timeline.after(seconds, ambush)

    # --- the daemon and its machine -----------------------------------------------------------

    def _up(self) -> None:
        if not self.daemon.alive:
            self._write("the daemon starts")
            self.rules.restarted()
            self.daemon.start()

    def _kill(self) -> None:
        if not self.daemon.alive:
            return
        self.counting.exact = False
        self.daemon.kill()
        self.rules.restarted()
        if self.random.random() < 0.7:
            self.daemon.undo(lambda: self.timeline.after(5, self._up))
        else:
            self.timeline.after(self.random.uniform(0.1, 20), self._up)

    def _stop(self) -> None:
        if not self.daemon.alive or self.daemon.stopping:
            return
        self.counting.exact = False

        def ended(whole: bool) -> None:
            seconds = self.random.uniform(0.1, 20)
            if whole:
                self.timeline.after(seconds, self._up)
            else:
                self.daemon.undo(lambda: self.timeline.after(seconds, self._up))

        self.daemon.stop(ended)

    def _reboot(self) -> None:
        self.counting.exact = False
        self.daemon.kill()
        # Set forward over a reboot, the clock makes every step seem long ago.
        step_ns = self.random.choice((0, 0, -3600, 86400)) * SECOND_NS
        known = step_ns <= 0 and not self._clock_was_set
        self.rules.restarted(rebooted=True, budget_known=known)
        self.kernel.reboot(step_ns)
        self.kernel.switch = self.kernel.gateway = True
        for nic in self.kernel.nics.values():
            if not nic.cable:
                self.timeline.after(30, partial(self.world.cable_in, nic))
            if not nic.plugged:
                self.timeline.after(30, partial(self.world.plug_in, nic))
        self.world.pulse()
        self.timeline.after(self.random.uniform(1, 10), self._up)

    def _set_clock(self) -> None:
        self._clock_was_set = True
        if not self.daemon.alive:
            self.rules.restarted(budget_known=False)
        self.kernel.wall_offset_ns += self.random.choice((-7200, -5, 5, 7200)) * SECOND_NS

    def _reload(self) -> None:
        policy = random_policy(self.random)
        self.daemon.take(ConfigRead(self.kernel.now(), "config", "/c.yaml", policy))

    def _lose_events(self) -> None:
        self.counting.exact = False
        self.rules.lost_ns = self.timeline.now_ns
        self.daemon.deaf = True
        if self.random.random() < 0.6:
            self.timeline.after(self.random.uniform(0.1, 5), self._hear_again)

    def _hear_again(self) -> None:
        self.rules.lost_ns = self.timeline.now_ns
        self.daemon.deaf = False
        self.daemon.gap("ENOBUFS")

    def _say_pause(self) -> None:
        seconds = self.random.choice((5, 60, 300))
        self.daemon.take(PauseRequested(self.kernel.now(), seconds, "a new cable"))

    def _say_resume(self) -> None:
        self.rules.resumed()
        self.daemon.take(ResumeRequested(self.kernel.now()))

    def _fill_disk(self) -> None:
        self.daemon.disk_full = True
        seconds = self.random.uniform(5, 200)
        self.timeline.after(seconds, lambda: setattr(self.daemon, "disk_full", False))

    def _pause(self) -> None:
        self.timeline.jump(self.random.choice((30, 600, 7 * 3600)))

    # --- what is left of it -------------------------------------------------------------------

    def _write(self, words: str) -> None:
        seconds = self.timeline.now_ns / SECOND_NS
        self.diary.append(f"{seconds:9.2f}  ({len(self.daemon.recorded)})  {words}")

    def epitaph(self, reason: str) -> str:
        """The seed, what happened, and the last facts with what was told."""
        last = []
        for entry in self.daemon.recorded[-TOLD_LAST:]:
            last.append(f"  {entry.fact}"[:400])
            last += [f"    told {o.verdict}"[:300] for o in entry.outputs if isinstance(o, Tell)]
        runs = sum(isinstance(entry.fact, Started) for entry in self.daemon.recorded)
        lines = [f"life {self.seed} of era {self.era}, {runs} starts: {reason}", *self.diary, *last]
        return "\n".join(lines)


def live(seed: int, era: int = ERAS) -> Life:
    """The life of this seed, lived to its end. LifeFailed."""
    life = Life(seed, era)
    life.live()
    return life
