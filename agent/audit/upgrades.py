"""Upgrades that wait to be installed, and start systemd-networkd anew when they are.

systemd's own does (postinst of systemd 249, 255 and 257: try-restart), on Debian 13 libc's as well
(systemd's trigger libc-upgrade). apt only simulates: it takes no lock and downloads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from agent.audit.program import Unanswered, printed

DEADLINE_SECONDS = 20.0
_SIMULATE = ("apt-get", "--simulate", "--quiet=2", "dist-upgrade")
# Inst systemd [257.8-1~deb13u1] (257.9-1~deb13u1 Debian:13.2/stable [amd64])
_LINE = re.compile(r"^Inst (\S+) \[(\S+)\] \((\S+) ", re.MULTILINE)
_NOT_BY_SYSTEMD = (250, 251, 252)  # Debian 12: its postinst leaves networkd alone
_BY_LIBC_SINCE = 257

Pending: TypeAlias = "Callable[[], Mapping[str, tuple[str, str]] | None]"


def pending() -> Mapping[str, tuple[str, str]] | None:
    """Package: from which version, to which. None where apt does not say."""
    try:
        found = _LINE.findall(printed(_SIMULATE, DEADLINE_SECONDS))
    except Unanswered:
        return None
    return {package: (old, new) for package, old, new in found}


def starting_networkd(
    upgrades: Mapping[str, tuple[str, str]], version: int | None
) -> tuple[str, ...]:
    """Those that start networkd anew, in words."""
    packages = [] if version in _NOT_BY_SYSTEMD else ["systemd"]
    packages += ["libc6"] if version is None or version >= _BY_LIBC_SINCE else []
    return tuple(
        f"{package} {upgrades[package][0]} -> {upgrades[package][1]}"
        for package in packages
        if package in upgrades
    )
