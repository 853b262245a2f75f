"""Recorded facts through today's decisions: the same outputs, byte for byte, or where not.

With another policy it is a question: what would have been done otherwise? The recorded facts
answer it up to the first step that only one of the two takes; what that would have led to, nobody
has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agent.codec import to_json
from agent.decide import decide, tune
from agent.model.facts import ActionEnded, ConfigRead
from agent.model.outputs import Act, Output, Tell
from agent.model.outputs_of_cni import PutBack
from agent.model.policy import Policy
from agent.model.recording import RecordingEntry, RecordingHeader
from agent.model.state import State
from agent.model.verdicts import NicBeyondRepair, StepBegan, StepBlocked, StepWithheld, Verdict
from agent.recordings import RecordingError, read
from agent.report import catalog
from agent.report.when import clock_time

__all__ = ["Difference", "RecordingError", "Replay", "in_words", "replay"]

_DEEDS = (StepBegan, StepWithheld, StepBlocked, NicBeyondRepair)
_SECOND_NS = 1_000_000_000
SHOWN_MAX = 40


@dataclass(frozen=True)
class Difference:
    """One fact that led to other outputs than recorded."""

    line: int
    segment: int  # since the how manieth header
    fact: str
    recorded: str
    replayed: str
    at_wall_ns: int
    done_then: tuple[Verdict, ...]  # what was told of steps
    done_now: tuple[Verdict, ...]


@dataclass(frozen=True)
class Replay:
    """What a replay found."""

    recorded_by: str
    facts: int
    differences: tuple[Difference, ...]
    cut_off: bool  # the last line is incomplete: the daemon was killed while writing it
    deeds: int = 0  # steps that were begun, withheld or blocked, as recorded


def replay(path: Path, policy: Policy | None = None) -> Replay:
    """Replay a recording, with its own policy or another one. RecordingError if it is none."""
    state, in_force = State(), policy or Policy()
    version, cut_off, facts, deeds, segment = "", False, 0, 0, 0
    differences: list[Difference] = []
    for line in read(path):
        item = line.item
        if item is None:
            cut_off = True
        elif isinstance(item, RecordingHeader):
            state, in_force, version = item.state, policy or item.policy, item.version
            segment += 1
        else:
            facts, fact = facts + 1, item.fact
            if isinstance(fact, ConfigRead) and fact.policy is not None:
                in_force = policy or fact.policy
                fact = replace(fact, policy=in_force)
            state, outputs = decide(state, fact, in_force)
            deeds += len(_deeds(item.outputs))
            state = _left_undone(state, item, outputs, in_force) if policy else state
            if to_json(RecordingEntry(item.fact, outputs)) != line.text:
                differences.append(_difference(line.number, segment, item, outputs))
    return Replay(version, facts, tuple(differences), cut_off, deeds)


def _left_undone(
    state: State, entry: RecordingEntry, outputs: tuple[Output, ...], policy: Policy
) -> State:
    """Step tune repairs nothing: that nobody takes it here must not hold up what follows."""
    for output in outputs:
        if not isinstance(output, Act) or isinstance(output.action, PutBack):
            continue
        if output.action.step == tune.STEP and output not in entry.outputs:
            words = "in a replay nothing is carried out"
            ended = ActionEnded(entry.fact.at, output.action, "refused", words)
            state, _told = decide(state, ended, policy)
    return state


def _difference(
    line: int, segment: int, entry: RecordingEntry, outputs: tuple[Output, ...]
) -> Difference:
    return Difference(
        line,
        segment,
        to_json(entry.fact),
        to_json(entry.outputs),
        to_json(outputs),
        entry.fact.at.wall_ns,
        _deeds(entry.outputs),
        _deeds(outputs),
    )


def _deeds(outputs: tuple[Output, ...]) -> tuple[Verdict, ...]:
    told = (output.verdict for output in outputs if isinstance(output, Tell))
    return tuple(verdict for verdict in told if isinstance(verdict, _DEEDS))


def in_words(result: Replay, path: Path, config: Path | None) -> Iterator[str]:
    """What it found, a line each."""
    if config is None:
        for difference in result.differences:
            yield f"{path}:{difference.line}: {difference.fact}"
            yield f"  recorded: {difference.recorded}"
            yield f"  replayed: {difference.replayed}"
        yield f"{_counted(result)}, {len(result.differences)} with other outputs{_cut(result)}"
    else:
        yield from _otherwise(result, config)


def otherwise(result: Replay) -> tuple[Difference, ...]:
    """The differences in what was done, of each segment up to the first step that only one takes.

    What else is told is of no matter to another policy.
    """
    found: list[Difference] = []
    forked = 0
    for difference in result.differences:
        if difference.done_then != difference.done_now and difference.segment != forked:
            found.append(difference)
            forked = difference.segment if _forks(difference) else forked
    return tuple(found)


def _forks(difference: Difference) -> bool:
    done = (*difference.done_then, *difference.done_now)
    return any(isinstance(verdict, StepBegan) and verdict.step != tune.STEP for verdict in done)


def _otherwise(result: Replay, config: Path) -> Iterator[str]:
    found = otherwise(result)
    for difference in found[:SHOWN_MAX]:
        when = clock_time(difference.at_wall_ns / _SECOND_NS)
        yield f"{when}  recorded: {_in_words(difference.done_then)}"
        yield f"{'':19}  by {config}: {_in_words(difference.done_now)}"
        if _forks(difference):
            yield f"{'':19}  What follows in the recording is what the recorded decision led to;"
            yield f"{'':19}  what the other one would have led to, nobody has seen."
    if len(found) > SHOWN_MAX:
        yield f"... and {len(found) - SHOWN_MAX} more"
    if found:
        yield f"{_counted(result)}; by {config} it comes out otherwise{_cut(result)}"
    else:
        done = f"the {result.deeds} decisions on steps come out the same" if result.deeds else ""
        words = done or "nothing is done either"
        yield f"{_counted(result)}; by {config} {words}{_cut(result)}"


def _in_words(deeds: tuple[Verdict, ...]) -> str:
    return "; ".join(catalog.line(verdict) for verdict in deeds) or "nothing is done"


def _counted(result: Replay) -> str:
    return f"{result.facts} facts recorded by {result.recorded_by}"


def _cut(result: Replay) -> str:
    return "; the last line is cut off" if result.cut_off else ""
