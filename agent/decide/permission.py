"""Whether anything may be done: the mode that is in force, whatever the configuration says.

Three starts after an end that was none (killed, crashed, a power cut), within ten minutes: then
this program may be what harms the node, and it only observes until it is started anew after an
orderly end. A state that was lost took with it what had been spent of every budget: all of them
count as spent for one window.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import Started, StoreSpoiled
from agent.model.outputs import Output, Tell, Wake
from agent.model.policy import Mode, Policy
from agent.model.state import State
from agent.model.verdicts import ObserveForced, ObserveLifted

UNCLEAN_STARTS_MAX = 3
UNCLEAN_WITHIN_SECONDS = 600
BUDGET_WINDOW_SECONDS = 3600

# Keys of State.observe_because.
CRASH_LOOP, LOST_STATE, PAUSED = "crash_loop", "lost_state", "paused"
TOPIC = "permission"


def mode_in_force(state: State, policy: Policy) -> Mode:
    """The configured mode, unless there is a reason to observe only."""
    return "observe" if state.observe_because else policy.mode


def in_force(state: State, policy: Policy) -> Policy:
    """The policy that decisions go by."""
    return replace(policy, mode=mode_in_force(state, policy))


def after_start(state: State, fact: Started) -> Decision:
    """Count the starts that no orderly end came before."""
    if fact.restored is None:
        return state, ()
    oldest_ns = fact.at.wall_ns - UNCLEAN_WITHIN_SECONDS * SECOND_NS
    # A clock that was set back meanwhile makes a start look later than now: it counts.
    recent = tuple(t for t in fact.restored.unclean_starts_wall_ns if t > oldest_ns)
    if fact.restored.ended:
        return replace(state, unclean_starts_wall_ns=recent), ()
    recent = (*recent, fact.at.wall_ns)[-UNCLEAN_STARTS_MAX:]
    state = replace(state, unclean_starts_wall_ns=recent)
    if len(recent) < UNCLEAN_STARTS_MAX:
        return state, ()
    minutes = UNCLEAN_WITHIN_SECONDS // 60
    reason = f"{UNCLEAN_STARTS_MAX} starts without an orderly end within {minutes} minutes"
    told = ObserveForced(reason, "with the next start after an orderly end")
    return with_reason(state, CRASH_LOOP, reason), (Tell(told),)


def after_loss(state: State, fact: StoreSpoiled, policy: Policy) -> Decision:
    """What had been spent is not known any more: for one window, all of it."""
    minutes = BUDGET_WINDOW_SECONDS // 60
    reason = f"the saved state was lost, so every budget counts as spent for {minutes} minutes"
    outputs: list[Output] = [
        Wake(fact.at.boottime_ns + BUDGET_WINDOW_SECONDS * SECOND_NS, TOPIC),
    ]
    if policy.mode == "remediate":
        outputs.append(Tell(ObserveForced(reason, f"in {minutes} minutes")))
    return with_reason(state, LOST_STATE, reason), tuple(outputs)


def after_window(state: State, policy: Policy) -> Decision:
    """The window of the lost state is over."""
    reason = state.observe_because.get(LOST_STATE)
    if reason is None:
        return state, ()
    state = without_reason(state, LOST_STATE)
    is_lifted = policy.mode == "remediate" and not state.observe_because
    return state, (Tell(ObserveLifted(reason)),) if is_lifted else ()


def with_reason(state: State, name: str, words: str) -> State:
    """From now on it only observes, for this reason as well."""
    return replace(state, observe_because={**state.observe_because, name: words})


def without_reason(state: State, name: str) -> State:
    """One reason less; another one may still hold."""
    rest = {other: words for other, words in state.observe_because.items() if other != name}
    return replace(state, observe_because=rest)
