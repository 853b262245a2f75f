"""The catalog: every event with its message id, its line, and its page of the runbook.

One table, in several files. The journal lines come from it; systemd/nodemend.catalog (so that
`journalctl -x` is the runbook) and docs/events.md are generated from it: `make generated`.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Mapping

from agent.model.verdicts import Verdict
from agent.report.event import Event
from agent.report.events_of_cni import CNI_EVENTS
from agent.report.events_of_daemon import DAEMON_EVENTS
from agent.report.events_of_gpus import GPU_EVENTS
from agent.report.events_of_health import HEALTH_EVENTS
from agent.report.events_of_links import LINK_EVENTS
from agent.report.events_of_steps import STEP_EVENTS

FIELD_PREFIX = "NODEMEND_"
_COLUMNS = 76  # systemd's own catalogs (docs/CATALOG.md)

EVENTS: Mapping[type, Event] = {
    **LINK_EVENTS,
    **HEALTH_EVENTS,
    **DAEMON_EVENTS,
    **STEP_EVENTS,
    **GPU_EVENTS,
    **CNI_EVENTS,
}


def line(verdict: Verdict) -> str:
    """The event in one sentence."""
    words = {key: _in_words(value) for key, value in _values(verdict).items()}
    return EVENTS[type(verdict)].line.format(**words)


def fields(verdict: Verdict) -> dict[str, str]:
    """The journal fields of an event, NODEMEND_EVENT first."""
    values = {FIELD_PREFIX + key.upper(): _in_words(v) for key, v in _values(verdict).items()}
    return {f"{FIELD_PREFIX}EVENT": EVENTS[type(verdict)].name, **values}


def catalog_text() -> str:
    """The whole of systemd/nodemend.catalog (format: systemd's docs/CATALOG.md)."""
    entries = []
    for event in EVENTS.values():
        header = (
            f"-- {event.message_id}\nSubject: {event.subject}\nDefined-By: nodemend\n"
            "Support: journalctl -u nodemend"
        )
        paragraphs = (event.cause, f"What was done: {event.done}", f"What to do: {event.to_do}")
        body = "\n\n".join(textwrap.fill(text, _COLUMNS) for text in paragraphs)
        entries.append(f"{header}\n\n{body}\n")
    return "# Generated from agent/report/catalog.py by `make generated`.\n\n" + "\n".join(entries)


def events_page() -> str:
    """The whole of docs/events.md."""
    introduction = (
        "# Events\n\nGenerated from `agent/report/catalog.py` by `make generated`. On a node, "
        "`journalctl -x -u nodemend` shows the same text below each line.\n"
    )
    return "\n".join([introduction, *(_section(event) for event in EVENTS.values())])


def _section(event: Event) -> str:
    return (
        f"## {event.name}\n\n`MESSAGE_ID={event.message_id}`, priority {event.priority}\n\n"
        f"> {event.line}\n\n{_plain(event.cause)}\n\n"
        f"**What was done.** {_plain(event.done)}\n\n"
        f"**What to do.** {_plain(event.to_do)}\n"
    )


def _plain(text: str) -> str:
    """@NODEMEND_DEVICE@ is journalctl's to fill in; a page can only name it."""
    return re.sub(rf"@{FIELD_PREFIX}([A-Z_]+)@", lambda found: found[1], text)


def _values(verdict: Verdict) -> dict[str, object]:
    return {f.name: getattr(verdict, f.name) for f in dataclasses.fields(verdict)}


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(str(item) for item in value) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
