"""What must hold after every fact, and at the end of a life, whatever happened in it."""

from __future__ import annotations

from collections import deque

from agent.decide.climb import REST_SECONDS
from agent.decide.go_ahead import ends_a_step
from agent.decide.ladder import BY_STEP
from agent.decide.permission import mode_in_force
from agent.model.actions import Action, RaiseLink, RestartUnits
from agent.model.facts import (
    ConfigRead,
    PlugRead,
    ProbeEnded,
    ReadFailed,
    Started,
    Stopping,
)
from agent.model.outputs import Act, Ask, ReadPlug, Tell
from agent.model.outputs_of_cni import PutBack
from agent.model.policy import Policy
from agent.model.state import State
from agent.model.verdicts import (
    NicBeyondRepair,
    NicLinkOnly,
    NicReplaced,
    StepBegan,
    StepFailed,
    StepVerified,
)
from tests.builders import SECOND_NS
from tests.simulation.counting import Counting
from tests.simulation.hardware import Hardware
from tests.simulation.watch import Decided, Violation
from tests.simulation.world import World

WEDGES = {"driver_gave_up", "tx_timeout", "control_errors"}
# The disk, the step, its inverse, the look at it, the look at the node, its aftercare and the look
# at that: with all their deadlines.
VERDICT_SECONDS = 550
PROBED_SECONDS = 5
LEFT_OFF_SECONDS = 200
EVENTS_SECONDS = 3  # news of what was wrong, and is not, are under way for so long


class Invariants:
    """Sees every fact and every action, and the truth."""

    def __init__(self, world: World, counting: Counting) -> None:
        self._world, self._kernel, self._counting = world, world.kernel, counting
        self._names: dict[str, str] = {}  # of NICs: connector
        self._began: dict[str, tuple[str, int]] = {}  # by connector: a step without a verdict
        self._begun_ns: dict[str, int] = {}  # by action
        self._spent: dict[str, list[int]] = {}
        self._probes: dict[str, deque[tuple[int, bool]]] = {}
        self._unknown: dict[str, bool] = {}  # whether the plug could not be read
        self._rested: dict[str, tuple[str, int]] = {}
        self._cared: set[str] = set()  # steps
        self._of_outage: dict[str, list[str]] = {}  # for want of a carrier, or of any answer
        self.lost_ns = -(10**18)  # when an event was lost

    def restarted(self, *, rebooted: bool = False, budget_known: bool = True) -> None:
        """Nobody owes a verdict for what was cut off."""
        self._began.clear()
        self._probes.clear()
        if rebooted:
            self._rested.clear()
            self._of_outage.clear()
        if not budget_known:
            self._spent.clear()

    def resumed(self) -> None:
        """Somebody wants what is at rest tried again."""
        self._rested.clear()
        self._of_outage.clear()

    def replaced(self, nic: Hardware) -> None:
        """Another adapter: nothing is known of it."""
        self._of_outage.pop(nic.connector, None)
        self._spent.pop(nic.connector, None)
        self._rested.pop(nic.connector, None)

    # --- after every fact ---------------------------------------------------------------------

    def decided(self, before: State, decided: Decided, after: State) -> None:
        now_ns = self._kernel.timeline.now_ns
        self._counting.decided(after)
        if isinstance(decided.fact, Started | ConfigRead):
            self._rested.clear()
        self._names = {nic.nic: connector for connector, nic in after.nics.items()}
        self._hear(decided, now_ns)
        for output in decided.outputs:
            if isinstance(output, Tell):
                self._told(output.verdict, before, decided, now_ns)
                if isinstance(output.verdict, StepBegan) and output.verdict.step in BY_STEP:
                    self._check_outage(self._names[output.verdict.nic], output.verdict.step, after)
            elif isinstance(output, Act) and not isinstance(output.action, PutBack):
                self._acts(output.action, decided, after)
            elif isinstance(output, Ask) and isinstance(output.question, ReadPlug):
                self._unknown.pop(output.question.connector, None)
        self._look(after, now_ns)

    def _look(self, after: State, now_ns: int) -> None:
        phases = [nic.climb.phase for nic in after.nics.values() if nic.climb]
        if sum(phase in ("probing", "stepping") for phase in phases) > 1:
            raise Violation(f"two NICs on the ladder at once: {phases}")
        for connector, nic in after.nics.items():
            if nic.step is not None and nic.step.step in BY_STEP and nic.climb is None:
                raise Violation(f"{connector}: {nic.step.action_id} belongs to no climb")
            if nic.climb is None:
                self._of_outage.pop(connector, None)
        for connector, (action_id, began_ns) in self._began.items():
            if now_ns - self._kernel.timeline.paused_ns - began_ns > VERDICT_SECONDS * SECOND_NS:
                raise Violation(f"{connector}: no verdict on {action_id}")
        for connector, (fault, _) in tuple(self._rested.items()):
            climb = after.nics[connector].climb if connector in after.nics else None
            if climb is None or climb.fault != fault or climb.phase == "settling":
                del self._rested[connector]

    def _hear(self, decided: Decided, now_ns: int) -> None:
        match decided.fact:
            case ProbeEnded(ifindex=ifindex, answered=answered):
                nic = self._kernel.by_ifindex(ifindex)
                if nic is not None:
                    probes = self._probes.setdefault(nic.connector, deque(maxlen=20))
                    probes.append((now_ns, answered))
            case ReadFailed(question=ReadPlug(connector=connector)):
                self._unknown[connector] = True
            case PlugRead(connector=connector):
                self._unknown[connector] = False
            case _:
                pass

    def _acts(self, action: Action, decided: Decided, after: State) -> None:
        nic = self._kernel.nics[self._names[action.nic]]
        if isinstance(action, RestartUnits):
            self._restarts(nic, decided.policy)
        is_raise = isinstance(action, RaiseLink) and not action.action_id.startswith("undo-")
        if is_raise and nic.ordered_down_ns is not None and self._all_heard():
            raise Violation(f"{nic.connector}: it is set up, and somebody has set it down")
        if mode_in_force(after, decided.policy) == "remediate" or isinstance(
            decided.fact, Stopping | ConfigRead
        ):
            return
        if not ends_a_step(after, action):
            raise Violation(f"an action is wanted in observe mode: {action.action_id}")

    def _restarts(self, nic: Hardware, policy: Policy) -> None:
        """Once for each step, where it is configured."""
        if not policy.remediation.aftercare:
            raise Violation(f"{nic.connector}: units are restarted, and none is configured")
        action_id, _ = self._began.get(nic.connector, ("", 0))
        if action_id in self._cared:
            raise Violation(f"{nic.connector}: units are restarted twice after {action_id}")
        self._cared.add(action_id)

    def _told(self, verdict: object, before: State, decided: Decided, now_ns: int) -> None:
        match verdict:
            case StepBegan(nic=name, step=step, action_id=action_id) if step in BY_STEP:
                self._begins(self._names[name], action_id, before, decided, now_ns)
            case StepVerified(nic=name) | StepFailed(nic=name) | NicLinkOnly(nic=name):
                if verdict.step in BY_STEP:
                    connector = self._names.get(name, "")
                    self._began.pop(connector, None)
                    if isinstance(verdict, StepFailed) and verdict.outcome in ("refused", "busy"):
                        self._not_taken(connector, verdict.step, verdict.action_id)
            case NicReplaced(nic=name):  # a step on the one that was here is nobody's any more
                self._began.pop(self._names[name], None)
            case NicBeyondRepair(nic=name):
                connector = self._names[name]
                self._check_rest(connector, now_ns, "is given up once more")
                climb = before.nics[connector].climb
                self._rested[connector] = (climb.fault if climb else "", now_ns)
            case _:
                pass

    def _not_taken(self, connector: str, step: str, action_id: str) -> None:
        """The world had moved before anything was done: that costs nothing."""
        taken = self._of_outage.get(connector, [])
        self._of_outage[connector] = [s for s in taken if s != step]
        spent = self._spent.get(connector, [])
        self._spent[connector] = [ns for ns in spent if ns != self._begun_ns.get(action_id)]

    def _begins(
        self, connector: str, action_id: str, before: State, decided: Decided, now_ns: int
    ) -> None:
        nic = self._kernel.nics[connector]
        if mode_in_force(before, decided.policy) != "remediate":
            raise Violation(f"{connector}: a step begins in observe mode")
        if connector in self._began:
            raise Violation(f"{connector}: a step begins before the verdict on another")
        self._check_rest(connector, now_ns, "a step begins")
        recent = [
            answered
            for time_ns, answered in self._probes.get(connector, ())
            if now_ns - time_ns <= PROBED_SECONDS * SECOND_NS
        ]
        if recent and all(recent) and self._world.up_since(nic, EVENTS_SECONDS):
            raise Violation(f"{connector}: a step on a NIC that is well, and answers")
        all_heard = self._all_heard() and not self._world.false_alarms
        if all_heard and self._world.up_since(nic, 60):
            raise Violation(f"{connector}: a step on a NIC that has been well for a minute")
        down_ns = nic.ordered_down_ns
        if all_heard and down_ns is not None and now_ns - down_ns > EVENTS_SECONDS * SECOND_NS:
            raise Violation(f"{connector}: a step on a NIC that somebody set down")
        if self._unknown.get(connector, True):
            raise Violation(f"{connector}: a step, and nobody knows what is in the plug")
        self._began[connector] = (action_id, now_ns - self._kernel.timeline.paused_ns)
        self._begun_ns[action_id] = now_ns

    def _all_heard(self) -> bool:
        return self._kernel.timeline.now_ns - self.lost_ns > 100 * SECOND_NS

    def _check_outage(self, connector: str, step: str, after: State) -> None:
        """A wedge is never bounced; want of a carrier and silence earn each step once."""
        nic = after.nics[connector]
        checks = nic.senses.health.speaking if nic.senses.health is not None else ()
        if step == "link_bounce" and set(checks) & WEDGES:
            raise Violation(f"{connector}: a wedge is bounced, {checks}")
        if nic.climb is None or nic.climb.fault not in ("no_carrier", "silent"):
            return
        taken = self._of_outage.setdefault(connector, [])
        if step in taken:
            raise Violation(f"{connector}: a second {step} in one {nic.climb.fault}")
        taken.append(step)

    def _check_rest(self, connector: str, now_ns: int, what: str) -> None:
        rested = self._rested.get(connector)
        if rested is not None and now_ns - rested[1] < REST_SECONDS * SECOND_NS:
            raise Violation(f"{connector} rests, and {what}")

    def carried_out(self, action: Action, state: State, policy: Policy) -> None:
        """An action reaches the actor."""
        if mode_in_force(state, policy) != "remediate" and not ends_a_step(state, action):
            raise Violation(f"{action.action_id} is carried out in observe mode")
        if action.action_id not in self._begun_ns:
            return  # an inverse, a raise, tune: no step of the ladder
        connector, budget = self._names[action.nic], policy.remediation.budget
        began_ns = self._begun_ns[action.action_id]
        spent = self._spent.setdefault(connector, [])
        spent.append(began_ns)
        within = [time_ns for time_ns in spent if time_ns > began_ns - budget.within_ns]
        if len(within) > budget.steps:
            raise Violation(f"{connector}: {len(within)} steps, {budget.steps} are the budget")

    # --- at the end ---------------------------------------------------------------------------

    def nothing_is_left_off(self, state: State) -> None:
        now_ns = self._kernel.timeline.now_ns
        for connector, nic in self._kernel.nics.items():
            known = state.nics.get(connector)
            idle = known is None or known.step is None
            # Hardware that takes no driver, and inverses that the world refused, are not its fault.
            excused = nic.spoiled or nic.registers_dead or not nic.plugged
            off = [w for w, t in nic.left_off.items() if now_ns - t > LEFT_OFF_SECONDS * SECOND_NS]
            if off and idle and not excused:
                raise Violation(f"{connector}: a step left off {off}")

    def climbs_are_closed(self, state: State) -> None:
        for connector, nic in state.nics.items():
            if nic.climb is not None or nic.step is not None:
                truth = self._kernel.nics[connector]
                if truth.spoiled:
                    continue  # what the world did not let be switched on may be off still
                raise Violation(f"{connector}: {nic.climb} {nic.step}, while {truth}")

    def incidents_are_closed(self, state: State) -> None:
        for connector, nic in state.nics.items():
            is_open = any(incident.closed is None for incident in nic.incidents)
            if is_open and not self._kernel.nics[connector].spoiled:
                raise Violation(f"{connector}: its incident is open: {nic.incidents[-1]}")
            unkept = [incident.id for incident in nic.incidents if not incident.kept]
            if unkept and not is_open:
                raise Violation(f"{connector}: these should have left nothing behind: {unkept}")

    def counts_are_true(self, state: State) -> None:
        if differences := self._counting.differences(state):
            raise Violation("; ".join(differences))
