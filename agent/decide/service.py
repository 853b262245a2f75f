"""The service machine: the daemon's own life, its configuration and its sources."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import listing, pause, permission
from agent.decide.decision import Decision
from agent.model.facts import (
    ConfigRead,
    ConfigReadFailed,
    Fact,
    PauseRequested,
    ResumeRequested,
    SourceChanged,
    Started,
    Stopping,
    StoreSpoiled,
    TimeReached,
)
from agent.model.outputs import Tell
from agent.model.policy import Policy
from agent.model.state import State
from agent.model.verdicts import (
    ConfigRefused,
    ConfigReloaded,
    SourceFailed,
    SourceRecovered,
    StateSetAside,
    WatchEnded,
)


def decide(state: State, fact: Fact, policy: Policy) -> Decision:
    """What the fact means for the daemon as such; `state` is what the NICs' machine left."""
    match fact:
        case Started():
            files = dict.fromkeys(("config", "web_config"), fact.at.wall_ns)
            state, outputs = permission.after_start(replace(state, config_read_wall_ns=files), fact)
            found = fact.restored
            same_boot = found is not None and found.boot_id == fact.boot_id
            kept = found.pause if found is not None else None
            state, held = pause.restored(state, kept, fact.at, same_boot=same_boot)
            return state, (*outputs, *held)
        case StoreSpoiled():
            state, outputs = permission.after_loss(state, fact, policy)
            return state, (Tell(StateSetAside(fact.path, fact.reason)), *outputs)
        case TimeReached(topic=permission.TOPIC):
            return permission.after_window(state, policy)
        case PauseRequested():
            return pause.begin(state, fact)
        case ResumeRequested():
            return pause.end(state, fact)
        case TimeReached(topic=pause.TOPIC):
            return pause.expire(state, fact.at)
        case ConfigRead():
            return _config_read(state, fact, policy)
        case ConfigReadFailed():
            problems = {**state.config_problems, fact.file: fact.problems}
            told = ConfigRefused(fact.path or "the configuration", fact.problems)
            return replace(state, config_problems=problems), (Tell(told),)
        case SourceChanged(failure=None):
            return state, (Tell(SourceRecovered(fact.source)),)
        case SourceChanged():
            return state, (Tell(SourceFailed(fact.source, fact.failure or "")),)
        case Stopping():
            return replace(state, ended=True), (Tell(WatchEnded(fact.reason)),)
        case _:
            return state, ()


def _config_read(state: State, fact: ConfigRead, policy: Policy) -> Decision:
    rest = {file: words for file, words in state.config_problems.items() if file != fact.file}
    read = {**state.config_read_wall_ns, fact.file: fact.at.wall_ns}
    state = replace(state, config_problems=rest, config_read_wall_ns=read)
    mode = permission.mode_in_force(state, policy)
    told = ConfigReloaded(fact.path or "none (all defaults)", mode, listing.watched(state))
    return state, (Tell(told),)
