"""The configuration in force, and the HTTP server that it asks for.

Read at the start, where a mistake ends the program; read anew on demand, where a mistake leaves
everything as it is and is told. The files are read on a thread of its own: /etc may be on the
disk that hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent import config, web_config
from agent.config import Config
from agent.model.facts import ConfigRead, ConfigReadFailed, Fact
from agent.model.snapshot import Snapshot
from agent.observe import clock
from agent.report.http import Server
from agent.web_config import WebConfig
from agent.yaml_reader import ConfigError


class Origin:
    """Where the configuration comes from: a file named on the command line, or the default one."""

    def __init__(self, path: Path | None, *, observe: bool) -> None:
        """`observe`: whatever the file says, nothing is changed."""
        self._path = path
        self._observe = observe

    @property
    def path(self) -> str:
        """The file, whether or not it is there."""
        return str(self._path or config.DEFAULT_PATH)

    def read(self) -> tuple[Config, WebConfig | None]:
        """Both files, checked. ConfigError where anything at all is wrong."""
        found = config.load(self._path) if self._path else config.load_default()
        if self._observe:
            found = replace(found, policy=replace(found.policy, mode="observe"))
        web = web_config.load(Path(found.web_config_file)) if found.web_config_file else None
        return found, web


class Serving:
    """Owns the configuration and the server; what is read anew is told as a fact."""

    def __init__(
        self, origin: Origin, snapshot: Callable[[], Snapshot], deliver: Callable[[Fact], None]
    ) -> None:
        """Read and check. ConfigError; nothing is served before `open`."""
        self._origin = origin
        self._snapshot = snapshot
        self._deliver = deliver
        self._busy = threading.Lock()
        self._again = threading.Event()
        self.config, self._web = origin.read()
        self._server: Server | None = None

    def open(self) -> None:
        """Begin to serve. OSError where the address cannot be had, in words."""
        self._server = self._bind(self.config, self._web)

    @property
    def failure(self) -> str | None:
        """Why nobody is answered; None while all is well."""
        return self._server.failure if self._server else "it is not open"

    @property
    def scheme(self) -> str:
        """What the address begins with."""
        return "https" if self._web is not None and self._web.tls is not None else "http"

    def reload(self) -> None:
        """Read everything anew, off the loop; a request during one leads to one more."""
        self._again.set()
        if self._busy.acquire(blocking=False):
            threading.Thread(target=self._reload, name="reload", daemon=True).start()

    def revive(self) -> None:
        """A server in place of one that failed. OSError where that fails as well."""
        self.close()
        self.open()

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()

    def _reload(self) -> None:
        try:
            while self._again.is_set():
                self._again.clear()
                self._deliver(self._read_anew())
        finally:
            self._busy.release()
        if self._again.is_set():  # asked for between the last look and the release
            self.reload()

    def _read_anew(self) -> Fact:
        path = self._origin.path
        try:
            found, web = self._origin.read()
            self._take_over(found, web)
        except ConfigError as error:
            return ConfigReadFailed(clock.now(), "config", path, error.problems)
        except OSError as error:
            return ConfigReadFailed(clock.now(), "config", path, (str(error),))
        return ConfigRead(clock.now(), "config", found.path, found.policy)

    def _take_over(self, found: Config, web: WebConfig | None) -> None:
        """The new server first: where its address cannot be had, the old one stays."""
        if self._server is not None and found.listen == self.config.listen:
            self._server.use(web)
        else:
            former, self._server = self._server, self._bind(found, web)
            if former is not None:
                former.close()
        self.config, self._web = found, web

    def _bind(self, found: Config, web: WebConfig | None) -> Server:
        listen = found.listen
        try:
            return Server(listen.host, listen.port, self._snapshot, web, self._told)
        except OSError as error:
            words = f"cannot listen on {listen.host}:{listen.port}: {error.strerror}"
            raise OSError(f"{words} (key `listen` of the configuration)") from error

    def _told(self, read: WebConfig | ConfigError) -> None:
        """The server looked at the web configuration's files, and they have changed."""
        at, path = clock.now(), self.config.web_config_file
        if isinstance(read, ConfigError):
            self._deliver(ConfigReadFailed(at, "web_config", path, read.problems))
        else:
            self._deliver(ConfigRead(at, "web_config", path, None))
