"""What must outlive a restart, in one small file: written whole, atomically, off the loop.

A file that cannot be read is set aside under another name and said so; the daemon goes on
with what it can see. The file names its format, so that an older program never misreads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.background import Background
from agent.codec import CodecError, from_json, to_json
from agent.model.state import Durable

FILE_NAME = "state.json"
FILE_BYTES_MAX = 4 * 1024 * 1024
FORMAT = 2
_SAVES_MAX = 64


@dataclass(frozen=True)
class StoreFile:
    """The whole file."""

    format: int
    durable: Durable


@dataclass(frozen=True)
class Spoiled:
    """Why nothing was restored, where the file is now, and whether it is out of the way."""

    path: str
    reason: str
    set_aside: bool


def load(directory: Path) -> Durable | Spoiled | None:
    """What was saved; None where nothing ever was; Spoiled where it cannot be used."""
    path = directory / FILE_NAME
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _set_aside(path, f"it cannot be read: {error.strerror}")
    try:
        return _parse(raw)
    except CodecError as error:
        return _set_aside(path, str(error))


def save(directory: Path, durable: Durable) -> None:
    """Replace the file; after a power cut either the old or the new one is there. OSError."""
    path = directory / FILE_NAME
    temporary = directory / f"{FILE_NAME}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(to_json(StoreFile(FORMAT, durable)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    # The rename itself is durable only once the directory is (fsync(2), NOTES).
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse(raw: bytes) -> Durable:
    if len(raw) > FILE_BYTES_MAX:
        raise CodecError(f"it is larger than {FILE_BYTES_MAX} bytes")
    text = raw.decode("utf-8", errors="replace")
    try:
        found = json.loads(text)["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CodecError(f"it is damaged: {error!r}") from error
    if found != FORMAT:
        raise CodecError(f"it has format {found!r}, and this version knows format {FORMAT}")
    return from_json(text, StoreFile).durable


def _set_aside(path: Path, reason: str) -> Spoiled:
    aside = path.with_name(f"{path.name}.set-aside")
    try:
        path.replace(aside)
    except OSError as error:
        words = f"{reason}; it could not be set aside: {error.strerror}"
        return Spoiled(str(path), words, set_aside=False)
    return Spoiled(str(aside), reason, set_aside=True)


class Store:
    """Saves in the background, in order; `done` hears for each save whether it is durable."""

    def __init__(self, directory: Path) -> None:
        """`directory` must exist."""
        self._directory = directory
        self._failure: str | None = None
        self._refusal: str | None = None
        self._worker: Background[tuple[Durable, Callable[[bool], None]]]
        self._worker = Background("store", self._save, _SAVES_MAX)

    def save(self, durable: Durable, done: Callable[[bool], None]) -> None:
        """Queue a save; `done` is called from the store's thread, or at once with False."""
        if self._refusal is not None:
            done(False)
        elif not self._worker.offer((durable, done)):
            self._failure = "saves are queueing up: the disk does not keep pace"
            done(False)

    def refuse(self, reason: str) -> None:
        """Save nothing from now on: what is on disk must not be replaced."""
        self._refusal = reason

    @property
    def failure(self) -> str | None:
        """Why the state is not on disk as it should be; None while all is well."""
        return self._refusal or self._failure or self._worker.failure()

    def close(self, deadline_seconds: float) -> bool:
        """Finish what is queued; False where the disk did not in time."""
        return self._worker.close(deadline_seconds)

    def _save(self, item: tuple[Durable, Callable[[bool], None]]) -> None:
        durable, done = item
        try:
            save(self._directory, durable)
        except Exception as error:  # noqa: BLE001  whoever waits for this save must hear of it
            words = (isinstance(error, OSError) and error.strerror) or repr(error)
            self._failure = f"{self._directory / FILE_NAME}: {words}"
            done(False)
        else:
            self._failure = None
            done(True)
