"""One host as files below a root; what is missing is None, what cannot be read is an OSError.

Everything that is read has a bound: a check that meets more than that says that it does not know.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

TEXT_BYTES_MAX = 256 * 1024
ENTRIES_MAX = 32_768  # of one directory; also of processes (kernel.pid_max is 32,768 by default)

# Where systemd looks for units and settings, the strongest first (systemd.unit(5)).
SYSTEMD_DIRECTORIES = (
    "etc/systemd",
    "run/systemd",
    "usr/local/lib/systemd",
    "usr/lib/systemd",
    "lib/systemd",
)


@dataclass(frozen=True)
class Host:
    """Its files, and nothing but its files."""

    root: Path

    def path(self, name: str) -> Path:
        """`name` has no slash at its beginning."""
        return self.root / name

    def shown(self, path: Path) -> str:
        """As the machine itself would name it."""
        try:
            return f"/{path.relative_to(self.root)}"
        except ValueError:
            return str(path)

    def text(self, path: Path, bytes_max: int = TEXT_BYTES_MAX) -> str | None:
        """A text file; None where there is none. OSError, also where it is too large."""
        raw = self.raw(path, bytes_max)
        return None if raw is None else raw.decode("utf-8", "backslashreplace")

    def raw(self, path: Path, bytes_max: int) -> bytes | None:
        """As `text`, undecoded."""
        try:
            with path.open("rb") as file:
                raw = file.read(bytes_max + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(raw) > bytes_max:
            raise OSError(errno.EFBIG, f"larger than {bytes_max} bytes", str(path))
        return raw

    def names(self, directory: Path) -> tuple[str, ...]:
        """The names in a directory, sorted; none where there is no directory. OSError."""
        try:
            with os.scandir(directory) as entries:
                names = [entry.name for entry in islice(entries, ENTRIES_MAX + 1)]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        if len(names) > ENTRIES_MAX:
            raise OSError(errno.EFBIG, f"more than {ENTRIES_MAX} entries", str(directory))
        return tuple(sorted(names))

    def is_there(self, path: Path) -> bool:
        """Whether there is anything of that name, be it a link to nowhere. OSError."""
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def is_masked(self, path: Path) -> bool:
        """A unit that is a link to /dev/null, or a file of no bytes (systemd.unit(5))."""
        try:
            if path.is_symlink():
                return str(path.readlink()) == "/dev/null"
            return path.stat().st_size == 0
        except FileNotFoundError:
            return False

    def systemd(self, name: str) -> Iterator[Path]:
        """A file or directory by its name below each of systemd's directories that has it."""
        seen: set[Path] = set()
        for directory in SYSTEMD_DIRECTORIES:
            path = self.path(directory) / name
            if self.is_there(path) and path.resolve() not in seen:
                seen.add(path.resolve())  # /lib is a link to /usr/lib on merged systems
                yield path
