"""Every sequence of happenings: a graph of the moments that a climb can come to.

Two moments from which all goes on alike are one: what decides how it goes on is in `likeness`,
times as what is left of them. So sequences of any length are a graph of some hundred moments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from agent.decide import budget, step
from agent.decide.ladder import BY_STEP
from agent.model.state import Climb, Nic
from tests.builders import SECOND_NS
from tests.unit.decide.climbs import Climbing
from tests.unit.decide.happenings import Happening

UNDO_TRIES = 2
MOMENTS_MAX = 3000
STEPS_MAX = 300  # of a way to its end
_LEFT_SECONDS = (0, 2, 15, 20, 60, 300)  # finer than this, what is left makes no difference


def with_few_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fifth one is as the first, and the first as none: fewer of them make fewer moments."""
    few = {name: replace(rung, undo_tries=UNDO_TRIES) for name, rung in BY_STEP.items()}
    monkeypatch.setattr(step, "BY_STEP", few)
    monkeypatch.setattr(step, "UNDO_BUSY_TRIES", UNDO_TRIES)
    monkeypatch.setattr(step, "REFUSALS_MAX", 0)


@dataclass
class Moment:
    """One of them, the way to it, and where each happening leads: another one, seconds later."""

    point: Climbing
    way: tuple[str, ...]
    ways_on: dict[str, tuple[Moment, float]] = field(default_factory=dict)

    @property
    def phase(self) -> str | None:
        return self.point.phase

    @property
    def told(self) -> str:
        return self.point.nic.climb.told if self.point.nic.climb else ""

    def goes_on(self, wanted: Iterable[str]) -> tuple[str, Moment, float]:
        """By the first of these happenings that leads anywhere."""
        name = next(n for n in wanted if n in self.ways_on and self.ways_on[n][0] is not self)
        return (name, *self.ways_on[name])


def explore(
    alphabet: Mapping[str, Happening], beginning: Climbing, depth: int | None = None
) -> list[Moment]:
    """Breadth first, so that the way to each moment is a shortest one."""
    first = Moment(beginning, ())
    found = {likeness(beginning): first}
    waiting = deque([first])
    while waiting:
        moment = waiting.popleft()
        if depth is not None and len(moment.way) >= depth:
            continue
        for name, happening in alphabet.items():
            if not happening.possible(moment.point):
                continue
            point = moment.point.copy()
            way = (*moment.way, name)
            try:
                happening.befall(point)
            except Exception as error:
                raise AssertionError(f"{', '.join(way)}: {error!r}") from error
            alike = likeness(point)
            known = found.get(alike)
            if known is None:
                assert len(found) < MOMENTS_MAX, f"too many moments: {way}"
                known = found[alike] = Moment(point, way)
                waiting.append(known)
            seconds = (point.now_ns - moment.point.now_ns) / SECOND_NS
            moment.ways_on[name] = (known, seconds)
    return list(found.values())


def likeness(point: Climbing) -> object:
    """All that decides how it goes on, beside what happens."""
    nic, link = point.nic, point.nic.link
    seen = link and (link.admin_up, link.carrier, nic.was_up, link.device == nic.device_known)
    health, climb = nic.senses.health, nic.climb
    settling = climb is not None and climb.phase == "settling"
    slow = climb is not None and climb.fault == "slow_link"
    return (
        climb and _of_climb(point, nic, climb),
        _of_step(point, nic),
        _of_books(point),
        seen,
        point.is_there,
        health and health.speaking,
        settling and nic.senses.reach.reachable,
        slow and nic.speed_bits,
        (nic.adapter.driver, nic.own_driver_seen),
        (point.policy.mode, bool(point.policy.match), point.state.pause is not None),
        min(2, budget.remaining(nic, point.policy, point.at)),
    )


def _of_climb(point: Climbing, nic: Nic, climb: Climb) -> object:
    left = (climb.due_ns - point.now_ns) / SECOND_NS
    plug = climb.plug and (climb.plug.vendor_id, climb.plug.has_link, climb.plug.is_bound)
    asking = (climb.awaits, plug, climb.alive, climb.registers_asked)
    link = nic.link
    raising: object = None
    if link is not None and not link.admin_up and not nic.was_up:
        ago = _ago(point, climb.raised_ns, 15)
        raising = (climb.raised == link.ifindex, climb.raises, ago)
    return (
        climb.fault,
        climb.phase,
        sum(left > bound for bound in _LEFT_SECONDS),
        climb.tried,
        climb.told,
        asking if climb.phase == "probing" else None,
        climb.refusals,
        len(point.wakes),
        climb.rests_until_ns is not None and climb.rests_until_ns > point.now_ns,
        raising,
    )


def _of_step(point: Climbing, nic: Nic) -> object:
    taken, climb = nic.step, nic.climb
    if taken is None:
        return None
    answered_ns = nic.senses.reach.answered_ns
    is_answered = answered_ns is not None and answered_ns > (taken.ended_ns or 0)
    verifying = (_ago(point, taken.ended_ns, 10), is_answered, climb and climb.proved)
    undoing = (min(UNDO_TRIES, taken.undone), taken.undo_failed)
    checking = _ago(point, taken.well_ns, 120)
    ways: Mapping[str, object] = {
        "verifying": verifying,
        "undoing": undoing,
        "checking": checking,
    }
    return (taken.step, ways.get(taken.phase), point.action is not None)


def _of_books(point: Climbing) -> object:
    """What the rules go by must not be taken for alike either."""
    ledger = point.ledger
    incidents = point.nic.incidents
    is_open = bool(incidents) and incidents[-1].closed is None
    answers = ledger.answers if point.phase == "probing" else ()
    allowed = point.policy.remediation.budget
    since_ns = point.now_ns - allowed.within_ns
    left = allowed.steps - sum(time_ns > since_ns for time_ns in ledger.steps_ns)
    return (is_open, ledger.of_outage, ledger.of_silence, answers, min(2, left))


def _ago(point: Climbing, time_ns: int | None, most_seconds: int) -> float | None:
    return None if time_ns is None else min(most_seconds, (point.now_ns - time_ns) / SECOND_NS)


# --- how it ends ----------------------------------------------------------------------------------


def check_it_ends(
    moments: Iterable[Moment],
    wanted: Callable[[Moment], Iterable[str]],
    ends: Collection[str | None],
    bound_seconds: float,
) -> None:
    """Where from now on only what is wanted happens, one of these phases is reached in time."""
    left: dict[int, float] = {}  # seconds to the end, by moment
    for moment in moments:
        here, names = moment, [*moment.way]
        passed: list[tuple[Moment, float]] = []
        while here.phase not in ends and id(here) not in left:
            name, after, seconds = here.goes_on(wanted(here))
            passed.append((here, seconds))
            names.append(name)
            assert len(passed) < STEPS_MAX, f"no end: {', '.join(names)}"
            here = after
        seconds_left = left.get(id(here), 0.0)
        for before, seconds in reversed(passed):
            seconds_left += seconds
            left[id(before)] = seconds_left
        assert seconds_left <= bound_seconds, f"{seconds_left:.0f} s: {', '.join(names)}"
