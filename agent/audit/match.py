"""Whether a [Match] section is about a link: yes, no, or not to be told from what is known.

As net_match_config() does it (net-condition.c in systemd), by Name, Type, Kind, Driver, Path and
MACs alone. Any other key makes a match unknown, and never a miss: all keys must fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from agent.audit.settings import Setting

Fits: TypeAlias = Literal["yes", "no", "unknown"]
SECTION = "Match"
_VALUES = {"Type": "type", "Kind": "kind", "Driver": "driver", "Path": "path"}
_MACS = {"MACAddress": "mac", "PermanentMACAddress": "permanent_mac"}
_OTHERWISE = ("\\", "[^")  # fnmatch(3) and Python's fnmatch do not agree on these
KIND_SINCE = 251  # systemd.network(5), systemd.link(5); before, it is an unknown key


@dataclass(frozen=True)
class Candidate:
    """A link, there or to come. None: not known. "": none, or none that a file could name."""

    names: tuple[str, ...]  # its name, and others that it goes by
    type: str | None = None  # as `networkctl list` has it: ether, vxlan, bridge
    kind: str | None = None
    driver: str | None = None
    mac: str | None = None
    permanent_mac: str | None = None
    path: str | None = None  # ID_PATH of udev: of hardware alone


@dataclass(frozen=True)
class Match:
    """The patterns of one file, by key; a key that was assigned nothing is none."""

    patterns: Mapping[str, tuple[str, ...]]
    unknown_keys: tuple[str, ...]  # whose meaning is not judged here

    @property
    def is_empty(self) -> bool:
        """A file without a match is ignored: to match all it must say Name=* (since 243)."""
        return not self.patterns and not self.unknown_keys


def match_of(settings: Iterable[Setting], version: int | None, *, of_link_file: bool) -> Match:
    """The [Match] section of a .network file with its drop-ins, or of a .link file."""
    name = "OriginalName" if of_link_file else "Name"
    judged = {name: "Name", **{key: key for key in (*_VALUES, *_MACS)}}
    patterns: dict[str, tuple[str, ...]] = {}
    unknown: dict[str, None] = {}
    for setting in settings:
        if setting.section != SECTION:
            continue
        if setting.key == "Kind" and (version or KIND_SINCE) < KIND_SINCE:
            continue  # "Unknown key name, ignoring"
        if setting.key not in judged:
            unknown[setting.key] = None
            continue
        key = judged[setting.key]
        patterns[key] = (*patterns.get(key, ()), *_words(setting.value)) if setting.value else ()
    return Match({k: words for k, words in patterns.items() if words}, tuple(unknown))


def fits(match: Match, link: Candidate) -> Fits:
    """A key that does not fit settles it, whatever else is unknown."""
    if match.is_empty:
        return "no"
    answers = [_fits(key, words, link) for key, words in match.patterns.items()]
    if "no" in answers:
        return "no"
    return "unknown" if match.unknown_keys or "unknown" in answers else "yes"


def _fits(key: str, patterns: tuple[str, ...], link: Candidate) -> Fits:
    if any(sign in pattern for sign in _OTHERWISE for pattern in patterns):
        return "unknown"
    if key == "Name":
        # Of several names one that fits is enough, also where the pattern is an exclusion.
        return "yes" if any(_any(patterns, name) for name in link.names) else "no"
    value: str | None = getattr(link, {**_VALUES, **_MACS}[key])
    if value is None:
        return "unknown"
    if key in _MACS:
        return "yes" if _octets(value) in map(_octets, patterns) else "no"
    return "yes" if _any(patterns, value) else "no"


def _octets(mac: str) -> str:
    """6c:1f:f7:1b:e8:c8, 6c-1f-... and 6c1f.f71b.e8c8 are the same."""
    return "".join(letter for letter in mac.lower() if letter not in ":-.")


def _words(value: str) -> tuple[str, ...]:
    """A "!" at the beginning of the line is for all of its words."""
    inverted = value.startswith("!")
    words = value[inverted:].split()
    return tuple(f"!{word}" if inverted else word for word in words)


def _any(patterns: tuple[str, ...], value: str) -> bool:
    """net_condition_test_strv(): what is excluded never fits; where all are, anything else does."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    excluded = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if any(fnmatchcase(value, pattern) for pattern in excluded):
        return False
    return not wanted or any(fnmatchcase(value, pattern) for pattern in wanted)
