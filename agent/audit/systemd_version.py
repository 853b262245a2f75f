"""Which systemd there is, from the name of its library: no program has to be asked."""

from __future__ import annotations

import re

from agent.audit.host import Host

# libsystemd-shared-249.so, -252.so; other builds write -255.4-1.so
_LIBRARY = re.compile(r"libsystemd-shared-(\d+)[^/]*\.so")
_DIRECTORIES = ("usr/lib/systemd", "lib/systemd", "usr/lib64/systemd")


def systemd_version(host: Host) -> int | None:
    """None where it cannot be told. OSError."""
    # Debian keeps it in the directory of its architecture, e.g. usr/lib/x86_64-linux-gnu.
    with_architecture = (
        f"usr/lib/{name}/systemd" for name in host.names(host.path("usr/lib")) if "-linux-" in name
    )
    for directory in (*_DIRECTORIES, *with_architecture):
        for name in host.names(host.path(directory)):
            found = _LIBRARY.fullmatch(name)
            if found:
                return int(found[1])
    return None
