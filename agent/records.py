"""What the daemon knows of the past; where none answers, what is on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.model.policy import Policy
from agent.model.state import GpuWatch, State
from agent.observe import clock
from agent.places import Places
from agent.report import control, diagnosis, incidents
from agent.report.incident_files import file_of
from agent.store import STATE, Spoiled


class Unknown(Exception):
    """Nobody and nothing knows; the words say why, and what to do."""


@dataclass(frozen=True)
class Found:
    """An answer; `note` says where it is from, if not from the daemon."""

    answer: Any
    note: str | None = None


def of_incidents(places: Places) -> Found:
    """All incidents, as report/incidents.py has them, each with its recording's path. Unknown."""
    try:
        found = Found(control.ask(places.control_socket, "incidents")["incidents"])
    except (control.NoDaemon, control.Refused) as error:
        found = Found(incidents.as_objects(_saved(places, error)), _note(error))
    for incident in found.answer:
        recording = file_of(places.incidents, incident["id"])
        incident["recording"] = str(recording) if recording.exists() else None
    return found


def of_report(places: Places, since_seconds: int, policy: Callable[[], Policy]) -> Found:
    """The report, as report/diagnosis.py has it; without a daemon by this policy. Unknown."""
    try:
        asked = control.ask(places.control_socket, "report", since_seconds=since_seconds)
        return Found(asked["report"])
    except (control.NoDaemon, control.Refused) as error:
        saved, at = _saved(places, error), clock.now()
        return Found(diagnosis.as_object(saved.nics, policy(), at, since_seconds), _note(error))


def _saved(places: Places, error: Exception) -> State:
    """As much of a state as the store keeps."""
    found = STATE.peek(places.state)
    if isinstance(found, Spoiled):
        raise Unknown(f"{error}\n{found.path}: {found.reason}") from error
    if found is None:
        raise Unknown(f"{error}\nand nothing was ever saved in {places.state}") from error
    return State(nics=found.nics, gpu=GpuWatch(gpus=found.gpus))


def _note(error: Exception) -> str:
    return f"{error}\nthis is what was saved last"
