"""Reading recordings: a segment of the daemon's own, an incident's, or a bundle that holds one.

A header may come again in the middle: decisions begin anew there, from the state that it holds.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from agent.codec import CodecError, from_json
from agent.model.recording import FORMAT, RecordingEntry, RecordingHeader

LINE_CHARACTERS_MAX = 16 * 1024 * 1024
MEMBER = "recording.jsonl"  # what the recording is called in a bundle
_GZIP = b"\x1f\x8b"
_HEADER = '{"type":"RecordingHeader"'


class RecordingError(Exception):
    """A file that is no recording, or one that another version wrote."""


@dataclass(frozen=True)
class Line:
    """One line; `item` is None for a last one that is cut off: the daemon was killed."""

    number: int
    text: str
    item: RecordingHeader | RecordingEntry | None


def read(path: Path) -> Iterator[Line]:
    """The lines, a header first. RecordingError where the file is none."""
    for number, text in _lines(path):
        if number == 1 or text.startswith(_HEADER):
            if number > 1 and not text.endswith("\n"):
                yield Line(number, text, None)
                return
            yield Line(number, text, _header(path, number, text))
        elif not text.endswith("\n"):
            yield Line(number, text, None)
            return
        else:
            try:
                yield Line(number, text.rstrip("\n"), from_json(text, RecordingEntry))
            except CodecError as error:
                raise RecordingError(f"{path}:{number}: {error}") from error


def _header(path: Path, number: int, text: str) -> RecordingHeader:
    try:
        header = from_json(text, RecordingHeader)
    except CodecError as error:
        words = f"{path}:{number}: not a recording of nodemend: {error}"
        raise RecordingError(words) from error
    if header.format != FORMAT:
        words = f"{path}:{number}: format {header.format}; this version reads {FORMAT}"
        raise RecordingError(words)
    return header


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open("rb") as raw:
            is_bundle = raw.read(len(_GZIP)) == _GZIP
        if is_bundle:
            with tarfile.open(path, "r:gz") as bundle:
                yield from _numbered(_member(path, bundle))
        else:
            with path.open(encoding="utf-8", newline="\n") as file:
                yield from _numbered(file)
    except (OSError, EOFError, UnicodeDecodeError, tarfile.TarError) as error:
        raise RecordingError(f"{path}: {error}") from error


def _numbered(file: TextIO) -> Iterator[tuple[int, str]]:
    number = 0
    while line := file.readline(LINE_CHARACTERS_MAX):
        number += 1
        yield number, line
    if not number:
        yield 1, ""  # which is no header


def _member(path: Path, bundle: tarfile.TarFile) -> TextIO:
    for member in bundle:
        if member.isfile() and Path(member.name).name == MEMBER:
            found = bundle.extractfile(member)
            if found is not None:
                return io.TextIOWrapper(found, encoding="utf-8", newline="\n")
    raise RecordingError(f"{path}: there is no {MEMBER} in it")
