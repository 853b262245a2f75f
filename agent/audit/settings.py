"""systemd's files of settings: sections of Key=Value, and which of several files hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.audit.host import Host

TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})  # systemd: parse_boolean()
FALSE = frozenset({"0", "no", "n", "false", "f", "off"})


@dataclass(frozen=True)
class Setting:
    """One line, and where it stands."""

    section: str
    key: str
    value: str
    path: Path
    line: int = 0  # where it begins, from 1


def parse(text: str, path: Path) -> Iterator[Setting]:
    """The assignments of one file (systemd.syntax(7))."""
    section = ""
    for number, line in _logical_lines(text):
        stripped = line.strip()
        if stripped[0] == "[" and stripped[-1] == "]":
            section = stripped[1:-1]
            continue
        key, equals, value = stripped.partition("=")
        if equals:
            yield Setting(section, key.rstrip(), value.strip(), path, number)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, each with the number where it begins.

    A backslash at its end continues a line; comments between its parts are left out.
    """
    begun, number = "", 0
    for at, line in enumerate(text.splitlines(), start=1):
        if not line.strip() and not begun:
            continue
        if line.lstrip()[:1] in ("#", ";"):
            continue
        number = number if begun else at
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        whole, begun = begun + line, ""
        if whole.strip():
            yield number, whole
    if begun.strip():
        yield number, begun


def merged(host: Host, name: str) -> tuple[Setting, ...]:
    """All settings of e.g. networkd.conf, in the order in which they are applied. OSError.

    The first main file that is found, then the drop-ins of all directories by their names; of
    those with one name the strongest directory's. What comes later wins.
    """
    main = next(host.systemd(name), None)
    return (*_of([main] if main else [], host), *_of(drop_ins(host, f"{name}.d"), host))


def drop_ins(host: Host, directory_name: str) -> list[Path]:
    """The *.conf files of a directory of drop-ins, over all of systemd's directories. OSError."""
    return by_name(host, directory_name, ".conf")


def by_name(host: Host, directory_name: str, suffix: str) -> list[Path]:
    """Files sorted by name; one in a stronger directory hides all others of its name. OSError.

    A link to /dev/null hides them, too, and reads as an empty file, which says nothing.
    """
    return strongest(host, host.systemd(directory_name), suffix)


def strongest(host: Host, directories: Iterable[Path], suffix: str) -> list[Path]:
    """Files sorted by name; of those with one name the first directory's. OSError."""
    found: dict[str, Path] = {}
    for directory in directories:
        for name in host.names(directory):
            if name.endswith(suffix):
                found.setdefault(name, directory / name)
    return [path for _, path in sorted(found.items())]


def of_file(host: Host, path: Path, directory_name: str) -> tuple[Setting, ...]:
    """A file's settings, then those of its drop-ins (NAME.d/*.conf). OSError."""
    return _of([path, *drop_ins(host, f"{directory_name}/{path.name}.d")], host)


def last(settings: tuple[Setting, ...], section: str, key: str) -> Setting | None:
    """The assignment that holds."""
    fitting = (s for s in settings if (s.section, s.key) == (section, key))
    return next(reversed(tuple(fitting)), None)


def says_no(setting: Setting | None) -> bool:
    """Whether it is missing or switched off; for keys that take other values than yes and no."""
    return setting is None or setting.value.lower() in FALSE


def is_off(settings: tuple[Setting, ...], section: str, key: str) -> bool:
    """Whether the last assignment that is a truth value says no; systemd ignores all others."""
    known = tuple(s for s in settings if s.value.lower() in TRUE | FALSE)
    found = last(known, section, key)
    return found is not None and found.value.lower() in FALSE


def is_on(settings: tuple[Setting, ...], section: str, key: str) -> bool:
    """As `is_off`, for yes."""
    known = tuple(s for s in settings if s.value.lower() in TRUE | FALSE)
    found = last(known, section, key)
    return found is not None and found.value.lower() in TRUE


def _of(paths: list[Path], host: Host) -> tuple[Setting, ...]:
    return tuple(s for path in paths for s in parse(host.text(path) or "", path))
