"""The .network and .link files of a host: which there are, and which one is for a link.

Of one name the strongest directory's holds, sorted by name over all directories the first that
fits is the one: the opposite of drop-ins, where the last wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from agent.audit.host import Host
from agent.audit.match import Candidate, Match, fits, match_of
from agent.audit.settings import Setting, by_name, is_on, last, of_file

Suffix: TypeAlias = Literal[".network", ".link"]
DIRECTORY = "network"  # below each of systemd's


@dataclass(frozen=True)
class File:
    """One file with its drop-ins."""

    path: Path
    settings: tuple[Setting, ...]
    match: Match
    problem: str = ""  # why it cannot be read: then nobody knows what it says

    def last(self, section: str, key: str) -> Setting | None:
        """The assignment that holds."""
        return last(self.settings, section, key)

    @property
    def is_unmanaged(self) -> bool:
        """Whether it says that its links are none of networkd's business."""
        return is_on(self.settings, "Link", "Unmanaged")


@dataclass(frozen=True)
class Choice:
    """Which file is for a link. `because_of`: files of which it cannot be told."""

    file: File | None = None
    because_of: tuple[File, ...] = ()

    @property
    def is_known(self) -> bool:
        return not self.because_of


def files(host: Host, suffix: Suffix, version: int | None) -> tuple[File, ...]:
    """In the order in which they are tried. OSError."""
    found = []
    for path in by_name(host, DIRECTORY, suffix):
        if host.is_masked(path):
            continue  # with its drop-ins; those of its name in weaker directories are hidden, too
        try:
            settings = of_file(host, path, DIRECTORY)
        except OSError as error:
            found.append(File(path, (), Match({}, ("what it says",)), error.strerror or str(error)))
            continue
        match = match_of(settings, version, of_link_file=suffix == ".link")
        found.append(File(path, settings, match))
    return tuple(found)


def choose(candidates: Iterable[File], link: Candidate) -> Choice:
    """The first that fits; not known where one before it may fit as well."""
    doubtful: list[File] = []
    for file in candidates:
        answer = fits(file.match, link)
        if answer == "unknown":
            doubtful.append(file)
        elif answer == "yes":
            return Choice(file, tuple(doubtful))
    return Choice(None, tuple(doubtful))
