"""Where libnvidia-ml is, without loading it: a machine without a GPU pays nothing.

Distributions put it into a directory that the dynamic linker knows, some below a directory of
their own; WSL mounts it from Windows; NVIDIA's GPU operator keeps it in its driver container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LIBRARY = "libnvidia-ml.so.1"
_CONF_BYTES_MAX = 64 * 1024
_CONF_FILES_MAX = 256
# <arch> as in Debian's multiarch paths.
_DIRECTORIES = (
    "usr/lib/<arch>-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/lib/<arch>-linux-gnu/nvidia/current",  # Debian, where its alternatives are not set up
    "usr/lib64/nvidia",
    "usr/local/nvidia/lib64",  # the container toolkit, and COS
    "usr/local/lib",
    "usr/lib/wsl/lib",
    "run/nvidia/driver/usr/lib/<arch>-linux-gnu",  # GPU operator
    "run/nvidia/driver/usr/lib64",
)


def find_library(root: Path = Path("/"), environment: str | None = None) -> Path | None:
    """The library's file; None where there is none. `environment`: LD_LIBRARY_PATH."""
    searched = os.environ.get("LD_LIBRARY_PATH", "") if environment is None else environment
    for directory in (*map(Path, filter(None, searched.split(":"))), *_known(root)):
        path = directory / LIBRARY
        try:
            if path.is_file():
                return path
        except OSError:  # a directory that may not be looked into
            continue
    return None


def _known(root: Path) -> Iterator[Path]:
    for directory in _DIRECTORIES:
        yield root / directory.replace("<arch>", os.uname().machine)
    yield from _configured(root)


def _configured(root: Path) -> Iterator[Path]:
    """What ld.so.conf(5) adds; its cache is in a format of its own."""
    try:
        files = sorted((root / "etc/ld.so.conf.d").glob("*.conf"))[:_CONF_FILES_MAX]
    except OSError:
        return
    for file in files:
        try:
            with file.open("rb") as opened:
                lines = opened.read(_CONF_BYTES_MAX).decode(errors="replace").splitlines()
        except OSError:
            continue
        yield from (root / line.strip()[1:] for line in lines if line.startswith("/"))
