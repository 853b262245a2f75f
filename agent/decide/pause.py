"""Paused: it goes on watching and takes no step, until a time that was given, or `resume`."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import permission
from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import PauseRequested, ResumeRequested
from agent.model.identity import Stamp
from agent.model.outputs import Output, Tell, Wake
from agent.model.policy import PAUSE_SECONDS_MAX
from agent.model.state import Nic, Pause, State
from agent.model.verdicts import Paused, Resumed

TOPIC = "pause"


def begin(state: State, fact: PauseRequested) -> Decision:
    """Another pause takes the place of the one before."""
    lasts_ns = fact.seconds * SECOND_NS
    until = Stamp(fact.at.boottime_ns + lasts_ns, fact.at.wall_ns + lasts_ns)
    state, wake = _hold(state, Pause(until, fact.reason))
    return state, (Tell(Paused(fact.seconds, fact.reason or "no reason given")), wake)


def end(state: State, fact: ResumeRequested) -> Decision:
    """Steps may be taken again; a NIC at rest gets another climb."""
    told = (Tell(Resumed("somebody ran `nodemend resume`")),)
    nics = {connector: _roused(nic, fact.at) for connector, nic in state.nics.items()}
    wakes = tuple(
        Wake(fact.at.boottime_ns, f"climb:{connector}")
        for connector, nic in nics.items()
        if nic is not state.nics[connector]
    )
    return _lifted(replace(state, nics=nics)), (*told, *wakes)


def expire(state: State, at: Stamp) -> Decision:
    """The time that was given is over."""
    if state.pause is None or at.boottime_ns < state.pause.until.boottime_ns:
        return state, ()
    return _lifted(state), (Tell(Resumed("the pause is over")),)


def restored(state: State, pause: Pause | None, at: Stamp, *, same_boot: bool) -> Decision:
    """It outlives a restart, and a reboot: there by the clock on the wall."""
    if pause is None:
        return state, ()
    if not same_boot:
        left_ns = min(pause.until.wall_ns - at.wall_ns, PAUSE_SECONDS_MAX * SECOND_NS)
        until = Stamp(at.boottime_ns + left_ns, pause.until.wall_ns)
        pause = replace(pause, until=until)
    state, wake = _hold(state, pause)
    return state, (wake,)


def _hold(state: State, pause: Pause) -> tuple[State, Output]:
    words = f"paused{f': {pause.reason}' if pause.reason else ''}"
    state = permission.with_reason(replace(state, pause=pause), permission.PAUSED, words)
    return state, Wake(pause.until.boottime_ns, TOPIC)


def _lifted(state: State) -> State:
    return permission.without_reason(replace(state, pause=None), permission.PAUSED)


def _roused(nic: Nic, at: Stamp) -> Nic:
    if nic.climb is None or nic.climb.phase != "resting":
        return nic
    climb = replace(nic.climb, phase="waiting", due_ns=at.boottime_ns, tried=(), told="")
    return replace(nic, climb=replace(climb, rests_until_ns=None, refusals=0))
