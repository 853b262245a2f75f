"""What must outlive a restart, in small files: each written whole, atomically, off the loop.

A file that cannot be read is set aside under another name and said so; the daemon goes on
with what it can see. The file names its format, so that an older program never misreads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

from agent.background import Background
from agent.codec import CodecError, decode, to_json
from agent.model.state import Durable

T = TypeVar("T")

FILE_NAME = "state.json"
FILE_BYTES_MAX = 4 * 1024 * 1024
FORMAT = 5
FORMAT_MIN = 2  # what it lacks of later fields has its default
_SAVES_MAX = 64


@dataclass(frozen=True)
class StoreFile:
    """The whole file."""

    format: int
    durable: object


@dataclass(frozen=True)
class Spoiled:
    """Why nothing was restored, where the file is now, and whether it is out of the way."""

    path: str
    reason: str
    set_aside: bool


@dataclass(frozen=True)
class Record(Generic[T]):
    """One file: its name, what it holds, and which of its formats are understood."""

    file_name: str
    holds: type[T]
    format: int
    format_min: int

    def load(self, directory: Path) -> T | Spoiled | None:
        """What was saved; None where nothing was; Spoiled, and set aside, where it is no use."""
        found = self.peek(directory)
        if isinstance(found, Spoiled):
            return _set_aside(directory / self.file_name, found.reason)
        return found

    def peek(self, directory: Path) -> T | Spoiled | None:
        """The same, and the file stays where it is."""
        path = directory / self.file_name
        try:
            with path.open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Spoiled(str(path), f"it cannot be read: {error.strerror}", set_aside=False)
        try:
            return self._parse(raw)
        except CodecError as error:
            return Spoiled(str(path), str(error), set_aside=False)

    def save(self, directory: Path, durable: T) -> None:
        """Replace the file; after a power cut either the old or the new one is there. OSError."""
        path = directory / self.file_name
        temporary = directory / f"{self.file_name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(to_json(StoreFile(self.format, durable)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_directory(directory)

    def _parse(self, raw: bytes) -> T:
        if len(raw) > FILE_BYTES_MAX:
            raise CodecError(f"it is larger than {FILE_BYTES_MAX} bytes")
        try:
            envelope = json.loads(raw.decode("utf-8", errors="replace"))
            found = envelope["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CodecError(f"it is damaged: {error!r}") from error
        if not isinstance(found, int) or not self.format_min <= found <= self.format:
            known = f"formats {self.format_min} to {self.format}"
            raise CodecError(f"it has format {found!r}, and this version knows {known}")
        if envelope.get("type") != StoreFile.__name__:
            raise CodecError(f"expected a StoreFile, found {envelope.get('type')!r}")
        if "durable" not in envelope:
            raise CodecError("missing field 'durable'")
        lenient = found < self.format
        return cast("T", decode(envelope["durable"], self.holds, "$.durable", lenient=lenient))


STATE = Record(FILE_NAME, Durable, FORMAT, FORMAT_MIN)


def fsync_directory(directory: Path) -> None:
    """A new or renamed file is durable only once its directory is (fsync(2), NOTES). OSError."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _set_aside(path: Path, reason: str) -> Spoiled:
    aside = path.with_name(f"{path.name}.set-aside")
    try:
        path.replace(aside)
    except OSError as error:
        words = f"{reason}; it could not be set aside: {error.strerror}"
        return Spoiled(str(path), words, set_aside=False)
    return Spoiled(str(aside), reason, set_aside=True)


class Store(Generic[T]):
    """Saves in the background, in order; `done` hears for each save whether it is durable."""

    def __init__(self, directory: Path, record: Record[T]) -> None:
        """`directory` must exist."""
        self._directory = directory
        self._record = record
        self._failure: str | None = None
        self._refusal: str | None = None
        self._worker: Background[tuple[T, Callable[[bool], None]]]
        self._worker = Background("store", self._save, _SAVES_MAX)

    def save(self, durable: T, done: Callable[[bool], None]) -> None:
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

    def _save(self, item: tuple[T, Callable[[bool], None]]) -> None:
        durable, done = item
        try:
            self._record.save(self._directory, durable)
        except Exception as error:  # noqa: BLE001  whoever waits for this save must hear of it
            words = (isinstance(error, OSError) and error.strerror) or repr(error)
            self._failure = f"{self._directory / self._record.file_name}: {words}"
            done(False)
        else:
            self._failure = None
            done(True)
