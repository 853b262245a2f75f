"""One file with all that is known of an incident: what one would attach to a bug report."""

from __future__ import annotations

import io
import json
import os
import platform
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from agent import config
from agent.codec import to_json
from agent.model.facts import Fact
from agent.model.recording import RecordingEntry, RecordingHeader
from agent.places import Places
from agent.recordings import MEMBER, RecordingError, read
from agent.records import Unknown, of_incidents
from agent.report import control, evidence, incidents, status
from agent.report.incident_files import file_of

CONFIG_BYTES_MAX = 1024 * 1024


def default_name(incident_id: str) -> str:
    """In the current directory; no path, whatever the id is."""
    return f"nodemend-{incident_id.replace('/', '_')}.tar.gz"


def bundle(places: Places, incident_id: str, output: Path, version: str) -> list[str]:
    """Write it, and say what is missing in it. Unknown where there is no such incident; OSError."""
    missing: list[str] = []
    recording = file_of(places.incidents, incident_id)
    incident = _incident(places, incident_id, missing)
    has_recording = recording.exists()
    if incident is None and not has_recording:
        raise Unknown("\n".join([*missing, f"no incident {incident_id!r} is on record"]))
    if not has_recording:
        missing.append(f"there is no recording of it in {places.incidents}")
    members = dict(_of_incident(incident))
    members |= _of_recording(recording, missing) if has_recording else {}
    members |= _of_now(places, version)
    if missing:
        members["missing.txt"] = "\n".join(missing)
    _write(
        output,
        default_name(incident_id).removesuffix(".tar.gz"),
        members,
        recording if has_recording else None,
    )
    return missing


def _incident(places: Places, incident_id: str, missing: list[str]) -> dict[str, Any] | None:
    try:
        found = of_incidents(places)
    except Unknown as unknown:
        missing.append(str(unknown))
        return None
    if found.note:
        missing.append(found.note)
    return next((each for each in found.answer if each["id"] == incident_id), None)


def _of_incident(incident: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if incident is not None:
        yield "incident.json", json.dumps(incident, indent=1)
        yield "incident.txt", incidents.show_in_words(incident)


def _of_recording(recording: Path, missing: list[str]) -> dict[str, str]:
    """What people read in it; the recording itself goes along as it is."""
    facts: list[Fact] = []
    policy = ""
    try:
        for line in read(recording):
            if isinstance(line.item, RecordingEntry):
                facts.append(line.item.fact)
            elif isinstance(line.item, RecordingHeader):
                policy = json.dumps(json.loads(to_json(line.item.policy)), indent=1)
    except RecordingError as error:
        missing.append(str(error))
    sections: dict[str, Callable[[Iterable[Fact]], Iterator[str]]] = {
        "kernel.txt": evidence.kernel_lines,
        "usb.txt": evidence.usb_trees,
        "counters.txt": evidence.counters,
    }
    texts = {
        name: "\n".join(make(facts)) or "nothing was recorded" for name, make in sections.items()
    }
    return {**texts, "policy.json": policy}


def _of_now(places: Places, version: str) -> dict[str, str]:
    """The daemon and the machine as they are while the bundle is made."""
    system = platform.uname()
    about = [
        f"nodemend {version}",
        f"Python {platform.python_version()}",
        f"{system.system} {system.release} {system.version} {system.machine}",
        f"made {time.strftime('%Y-%m-%d %H:%M:%S %z')}",
    ]
    members = {"about.txt": "\n".join(about)}
    path = config.DEFAULT_PATH
    try:
        found = control.ask(places.control_socket, "status")["status"]
    except (control.NoDaemon, control.Refused) as error:
        members["status.txt"] = str(error)
    else:
        members["status.json"] = json.dumps(found, indent=1)
        members["status.txt"] = status.as_text(found).rstrip()
        path = Path(found["config"] or path)
    # This file alone: what it names as web_config_file holds passwords.
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            members["config.yaml"] = file.read(CONFIG_BYTES_MAX).rstrip("\n")
    except OSError as error:
        members["config.yaml"] = f"# {path}: {error.strerror}"
    return members


def _write(output: Path, folder: str, members: dict[str, str], recording: Path | None) -> None:
    """Whole or not at all: half a bundle would be sent as one."""
    descriptor, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    temporary = Path(name)
    try:
        with (
            os.fdopen(descriptor, "wb") as file,
            tarfile.open(fileobj=file, mode="w:gz") as archive,
        ):
            for member, text in members.items():
                _add(archive, f"{folder}/{member}", f"{text}\n".encode())
            if recording is not None:
                _add(archive, f"{folder}/{MEMBER}", recording.read_bytes())
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), int(time.time()), 0o600
    archive.addfile(member, io.BytesIO(content))
