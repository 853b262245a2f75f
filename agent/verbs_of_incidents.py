"""The verbs that tell of the past: `incidents` and `report`, with and without a daemon."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from agent import __version__
from agent.places import places
from agent.terminal import FINE, NO, USAGE, complain, show


def incidents(options: argparse.Namespace) -> int:
    """The verb `incidents`, and what follows it."""
    from agent.records import Unknown, of_incidents
    from agent.report import incidents as in_words

    if options.which == "bundle":
        return _bundle(options.id, options.output)
    try:
        found = of_incidents(places())
    except Unknown as unknown:
        return complain(str(unknown), NO)
    if found.note:
        complain(found.note, NO)
    if options.which == "list":
        listed = found.answer
        show(json.dumps(listed, indent=1) if options.json else in_words.list_in_words(listed))
        return FINE
    one = next((incident for incident in found.answer if incident["id"] == options.id), None)
    if one is None:
        return complain(f"no incident {options.id!r} is on record; see incidents list", NO)
    show(json.dumps(one, indent=1) if options.json else in_words.show_in_words(one))
    return FINE


def _bundle(incident_id: str, output: Path | None) -> int:
    from agent.bundle import bundle, default_name
    from agent.records import Unknown

    path = output or Path(default_name(incident_id))
    try:
        missing = bundle(places(), incident_id, path, __version__)
    except Unknown as unknown:
        return complain(str(unknown), NO)
    except OSError as error:
        return complain(f"cannot write {path}: {error.strerror}", NO)
    for words in missing:
        complain(words, NO)
    show(f"{path}: {path.stat().st_size // 1024 + 1} KiB; `replay` takes it as it is")
    return FINE


def report(options: argparse.Namespace) -> int:
    """The verb `report`."""
    from agent.config import load_default
    from agent.durations import span_seconds
    from agent.records import Unknown, of_report
    from agent.report import diagnosis
    from agent.yaml_reader import ConfigError

    seconds = span_seconds(options.since)
    if seconds is None:
        words = f"--since: expected a duration like 12h or 30d, found {options.since!r}"
        return complain(words, USAGE)
    try:
        found = of_report(places(), seconds, lambda: load_default().policy)
    except (Unknown, ConfigError) as error:
        return complain(str(error), NO)
    if found.note:
        complain(found.note, NO)
    formats = {"text": diagnosis.as_text, "markdown": diagnosis.as_markdown}
    text = formats[options.format](found.answer).rstrip()
    show(json.dumps(found.answer, indent=1) if options.json else text)
    return FINE
