"""Takes back a step that was cut off, without the daemon: the unit's ExecStopPost=.

The daemon records the inverse of a step before the step. Killed in between, it can do no more
about it; this can, at once, rather than at the next start.
"""

from __future__ import annotations

import select
from dataclasses import replace

from agent.act.actor import Actor, Ending
from agent.lock import AlreadyRunning, lock
from agent.model.actions import Action
from agent.model.state import Durable
from agent.observe import clock
from agent.places import Places
from agent.store import STATE, Spoiled

LOOK_SECONDS = 1.0  # from one look at the deadline to the next
NOTHING = "no step was cut off: nothing to take back"


def undo(places: Places) -> tuple[bool, str]:
    """Whether all is well, and what was done, in words."""
    try:
        held = lock(places)
    except AlreadyRunning as error:
        return False, f"a daemon runs, and takes back what is its own: {error}"
    except FileNotFoundError:
        return True, NOTHING  # no runtime directory: nothing ever ran since the boot
    except OSError as error:
        return False, f"cannot lock {places.runtime}: {error.strerror}"
    with held:
        durable = STATE.peek(places.state)
        if isinstance(durable, Spoiled):
            return False, f"{durable.path}: {durable.reason}"
        # A reboot took back what there was to take back: devices begin anew.
        if durable is None or durable.boot_id != clock.boot_id():
            return True, NOTHING
        return _take_back(places, durable)


def _take_back(places: Places, durable: Durable) -> tuple[bool, str]:
    said: list[str] = []
    fine = True
    for connector, nic in durable.nics.items():
        if nic.step is None or nic.step.inverse is None:
            continue
        ending = _carry_out(nic.step.inverse)
        fine = fine and ending.outcome in ("done", "refused")
        said.append(f"step {nic.step.step} of {nic.nic}: {_in_words(ending)}")
        if ending.outcome in ("done", "refused"):  # refused: the device is another by now
            nics = {**durable.nics, connector: replace(nic, step=None)}
            durable = replace(durable, nics=nics)
    try:
        if said:
            STATE.save(places.state, durable)
    except OSError as error:
        return False, f"{'; '.join(said)}; {places.state}: {error.strerror}"
    return fine, "; ".join(said) or NOTHING


def _carry_out(action: Action) -> Ending:
    actor = Actor()
    endings = actor.start(action)
    while not endings:
        waited_for = [descriptor for descriptor in (actor.fileno(),) if descriptor is not None]
        select.select(waited_for, [], [], LOOK_SECONDS)
        endings = actor.poll()
    return endings[0]


def _in_words(ending: Ending) -> str:
    if ending.outcome == "done":
        return "taken back"
    return f"not taken back, {ending.outcome}: {ending.detail}"
