"""The CNI's audit, once at the start and again whenever what it goes by has changed.

On a thread of its own: it reads a few dozen files and asks two programs. Where no CNI is set up,
or networkd does not run, nobody is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from agent.audit import cni_here, kernel, networkd
from agent.audit.audit import Audit, examine
from agent.audit.checks import examined
from agent.audit.checks_of_others import NETWORK_MANAGER_DIRECTORIES, SYSCTL_DIRECTORIES
from agent.audit.host import SYSTEMD_DIRECTORIES, Host
from agent.model.facts import Fact
from agent.model.facts_of_cni import CniAudited
from agent.observe import clock

LOOK_SECONDS = 60.0  # for files that have changed
NO_CNI = "no CNI is set up here"
AGAIN_SECONDS = 300.0  # rules and routes come and go without any file
_DIRECTORIES = (
    *(f"{base}/{name}" for base in SYSTEMD_DIRECTORIES for name in ("network", "networkd.conf.d")),
    *SYSCTL_DIRECTORIES,
    *NETWORK_MANAGER_DIRECTORIES,
    *("etc/needrestart/conf.d", *cni_here.CONFIGURATIONS),
)


# As CniAudited has it.
_Found: TypeAlias = (
    "tuple[tuple[str, ...], tuple[str, ...], int | None, int | None, dict[str, int]]"
)
_NOTHING: _Found = ((), (), None, None, {})


class AuditMonitor:
    """Delivers what is found, where it is not what was found before."""

    def __init__(
        self,
        deliver: Callable[[Fact], None],
        root: Path = Path("/"),
        ask_networkd: networkd.Ask = networkd.ask,
        list_one: kernel.List = kernel.listed,
    ) -> None:
        """`deliver` must be safe to call from another thread."""
        self._deliver, self._host = deliver, Host(root)
        self._ask_networkd, self._list_one = ask_networkd, list_one
        self._closing = threading.Event()
        self._latest = _NOTHING
        self._error: str | None = None
        self.missing = NO_CNI  # why there is nothing to look at; "" where there is
        self._thread = threading.Thread(target=self._run, name="cni-audit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why nothing is known; None while all is well."""
        if self._thread.ident is not None and not self._thread.is_alive():
            return None if self._closing.is_set() else "its thread has ended"
        return self._error

    def close(self, deadline_seconds: float) -> None:
        """End; what hangs is left behind."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(deadline_seconds)

    def _run(self) -> None:
        signature: tuple[object, ...] | None = None
        due = 0.0
        while not self._closing.is_set():
            now_signature = tuple(self._signature())
            if now_signature != signature or time.monotonic() >= due:
                signature, due = now_signature, time.monotonic() + AGAIN_SECONDS
                self._look()
            self._closing.wait(LOOK_SECONDS)

    def _look(self) -> None:
        try:
            is_here = cni_here.is_here(self._host)
            self.missing = "" if is_here else NO_CNI
            found = self._found() if is_here else _NOTHING
        except Exception as error:  # noqa: BLE001  the next look may be a better one
            self._error = f"{type(error).__name__}: {error}"
            return
        self._error = None
        if found != self._latest:
            self._latest = found
            self._deliver(CniAudited(clock.now(), *found))

    def _found(self) -> _Found:
        audit = examine(self._host, self._ask_networkd, self._list_one)
        answers = examined(audit, is_root=True).answers
        told = audit.forecast
        return (
            tuple(name for name, answer in answers if answer.outcome == "no"),
            tuple(name for name, answer in answers if answer.outcome == "yes"),
            None if told is None else len(told.rules),
            None if told is None else len(told.routes),
            _managed(audit),
        )

    def _signature(self) -> Iterator[tuple[str, int, int]]:
        """Of every file that the audit goes by: another one where any was written."""
        for directory in _DIRECTORIES:
            for path in self._files(self._host.path(directory)):
                try:
                    status = path.stat()
                except OSError:
                    continue
                yield str(path), status.st_mtime_ns, status.st_size

    def _files(self, directory: Path) -> Iterator[Path]:
        try:
            names = self._host.names(directory)
        except OSError:
            return
        for name in names:
            path = directory / name
            yield path
            if name.endswith(".d"):
                yield from self._files(path)


def _managed(audit: Audit) -> dict[str, int]:
    counts = dict.fromkeys(cni_here.here(audit.host), 0)
    for link in audit.networkd.links if audit.networkd is not None else ():
        cni = next((each.cni for each in cni_here.LINKS if cni_here.is_called(link.name, each)), "")
        if link.is_managed and cni in counts:
            counts[cni] += 1
    return counts
