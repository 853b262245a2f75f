"""From the text of /proc/PID/cgroup to the pod and container, or to the unit of the host.

Both cgroup versions, kubelet's systemd and cgroupfs drivers, nested and renamed trees: what counts
is found anywhere in the path, since k3s, kind and a mismatch of drivers put their own around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

UNIT_CHARACTERS_MAX = 128

# A static pod's uid is the hash of its manifest: 32 hex digits without dashes. The systemd driver
# writes `_` for `-`, which would end a slice's name there.
_HEX = "[0-9a-f]"
_POD = re.compile(
    rf"pod({_HEX}{{8}}[-_]{_HEX}{{4}}[-_]{_HEX}{{4}}[-_]{_HEX}{{4}}[-_]{_HEX}{{12}}|{_HEX}{{32}})"
    rf"(?!{_HEX})"
)
_CONTAINER = re.compile(rf"(?:[-:/])({_HEX}{{64}})(?!{_HEX})")
_UNIT_SUFFIXES = (".service", ".scope", ".socket", ".mount", ".swap")
_SYSTEMD_HIERARCHIES = ("", "name=systemd")  # the v2 tree; v1's that has no controller


@dataclass(frozen=True)
class Place:
    """Where a process runs."""

    pod_uid: str = ""
    container_id: str = ""
    unit: str = ""  # of the host; "" for a pod's process


def place(text: str) -> Place:
    """What the lines say. Several hierarchies may differ: the first that knows of a pod counts."""
    paths = list(_paths(text))
    for _, path in paths:
        found = _POD.search(path)
        if found:
            # After the pod: above it may be the container that the whole node runs in (kind).
            container = _CONTAINER.search(path, found.end())
            uid = found[1].replace("_", "-")
            return Place(uid, container[1] if container else "")
    by_systemd = (path for name, path in paths if name in _SYSTEMD_HIERARCHIES and path != "/")
    fallback = (path for _, path in paths if path != "/")
    path = next(by_systemd, next(fallback, "/"))
    return Place(unit=_unit(path)[:UNIT_CHARACTERS_MAX])


def _paths(text: str) -> Iterator[tuple[str, str]]:
    """Controllers and path of each line: `hierarchy-ID:controller-list:path` (cgroups(7))."""
    for line in text.splitlines():
        _, first, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if first and second and path.startswith("/"):
            # Until the last process of it ended, a removed group is told with this behind it.
            yield controllers, path.removesuffix(" (deleted)")


def _unit(path: str) -> str:
    """The unit that systemd itself would name (cg_path_get_unit): the first that is no slice."""
    for part in path.split("/"):
        if part.endswith(_UNIT_SUFFIXES):
            return part
    return path
