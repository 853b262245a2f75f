"""HTTP: /metrics, /healthz and the status page. It reads a snapshot and nothing else.

One thread with a loop of its own. Connections are bounded: where there are too many, the one
that has been waiting longest without a question is closed for the newcomer, so that whoever
only holds connections open keeps no scrape out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from agent import web_config
from agent.background import Background
from agent.model.snapshot import Snapshot
from agent.report.http_connection import REQUEST_SECONDS_MAX, Connection
from agent.report.pages import Answer, Asked, Pages, plain
from agent.report.passwords import Passwords, Verdict
from agent.web_config import WebConfig
from agent.yaml_reader import ConfigError

# Python's TLS keeps a buffer of 256 KiB a connection (asyncio/sslproto.py, max_size).
CONNECTIONS_MAX = 64
BACKLOG = 128
LOOK_SECONDS = 2.0  # between two looks at the web configuration's files
RETRY_SECONDS = 0.5
HANG_SECONDS = 10.0
CLOSE_SECONDS = 0.5
_TURNS_TO_CLOSE = 8  # a transport closes its socket some turns after it was told to

Told = Callable[["WebConfig | ConfigError"], None]


class Server:
    """Serves until closed, on a thread of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        snapshot: Callable[[], Snapshot],
        web: WebConfig | None = None,
        told: Told = lambda _read: None,
    ) -> None:
        """Bind and serve; OSError where the address cannot be had. `told`: of each re-reading."""
        self._pages, self._told = Pages(snapshot), told
        self._listening = _listen(host, port)
        self.address: tuple[str, int] = self._listening.getsockname()[:2]
        self._connections: dict[Connection, socket.socket] = {}
        self._shaking_hands: dict[socket.socket, None] = {}  # the oldest first
        self._tasks: set[asyncio.Task[None]] = set()
        self._accept_failure: str | None = None
        self._asked_at = self._answered_at = time.monotonic()
        self._files: Background[WebConfig] = Background("web-config", self._look_at_files, 1)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _loop, _context: None)  # clients are no events
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        self._passwords: Passwords | None = None
        self._tokens, self._filled_at = 0.0, self._loop.time()
        self._take_over(web)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()

    # --- from any thread ----------------------------------------------------------------------

    @property
    def failure(self) -> str | None:
        """Why nobody is answered; None while all is well."""
        if not self._thread.is_alive():
            return "its thread has ended"
        now = time.monotonic()
        if self._answered_at >= self._asked_at and now - self._asked_at >= HANG_SECONDS:
            self._asked_at = now
            self._call(self._beat)
        if self._asked_at > self._answered_at and now - self._asked_at >= HANG_SECONDS:
            return f"no progress for {now - self._asked_at:.0f} s: it hangs"
        return self._accept_failure

    def use(self, web: WebConfig | None) -> None:
        """From now on this web configuration; who is connected by the old one is cut off."""
        self._call(lambda: self._take_over(web))

    def close(self) -> None:
        """Stop; answers under way are not waited for."""
        self._call(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)

    def _call(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(function)

    # --- in the loop's thread -----------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._start(self._accept())
        try:
            self._loop.run_forever()
        finally:
            self._listening.close()
            self._cut_off_everybody()
            self._loop.run_until_complete(self._end_tasks())
            self._files.close(0)
            if self._passwords is not None:
                self._passwords.close()
            self._loop.close()

    async def _end_tasks(self) -> None:
        for _ in range(_TURNS_TO_CLOSE):  # handshakes that were cut off end by themselves
            await asyncio.sleep(0)
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(_TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    def _start(self, work: Any) -> None:
        """The loop holds tasks by weak references only."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        while True:
            try:
                client, _address = await self._loop.sock_accept(self._listening)
            except OSError as error:  # no descriptors left for a while; or somebody shut it down
                self._accept_failure = f"no connection is accepted: {error.strerror}"
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._accept_failure = None
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._make_room()
            self._shaking_hands[client] = None
            self._start(self._welcome(client, self._web))

    def _make_room(self) -> None:
        """Handshakes under way go first, then who has been waiting longest."""
        while len(self._shaking_hands) + len(self._connections) >= CONNECTIONS_MAX:
            if len(self._shaking_hands) > CONNECTIONS_MAX // 2 or not self._connections:
                _cut_off(self._shaking_hands)
                continue
            idle = (c for c in self._connections if not c.is_answering)
            longest = min(idle, key=lambda c: c.waits_since, default=next(iter(self._connections)))
            self._connections.pop(longest)
            longest.abort()

    async def _welcome(self, client: socket.socket, web: WebConfig | None) -> None:
        tls = web.tls if web is not None else None
        details = web is not None and web.knows_its_clients
        limit_seconds = REQUEST_SECONDS_MAX if tls is not None else None
        connection = Connection(self, shows_details=details)
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection, client, ssl=tls, ssl_handshake_timeout=limit_seconds
            )
        except (OSError, EOFError):  # ssl.SSLError, ConnectionError, TimeoutError: its affair
            client.close()
        else:
            if client.fileno() >= 0 and web is self._web:
                self._connections[connection] = client
            else:
                connection.abort()
        finally:
            self._shaking_hands.pop(client, None)

    def _beat(self) -> None:
        self._answered_at = time.monotonic()

    # --- what a connection asks (http_connection.Host) ----------------------------------------

    def admits(self) -> bool:
        limit = self._web.rate_limit if self._web is not None else None
        if limit is None:
            return True
        now = self._loop.time()
        earned = (now - self._filled_at) / limit.interval_seconds
        self._tokens, self._filled_at = min(float(limit.burst), self._tokens + earned), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def authorize(self, header: bytes | None, then: Callable[[Verdict], None]) -> None:
        if self._passwords is None:
            then("right")
            return
        here = threading.get_ident()

        def judged(verdict: Verdict) -> None:
            if threading.get_ident() == here:
                then(verdict)
            else:
                self._call(partial(then, verdict))

        self._passwords.check(header, judged)

    def is_allowed(self, certificate: dict[str, Any] | None) -> bool:
        allowed = self._web.allowed_sans if self._web is not None else ()
        if not allowed:
            return True
        names = (certificate or {}).get("subjectAltName", ())
        return any(value in allowed for _kind, value in names)

    def answer(self, asked: Asked) -> Answer:
        try:
            found = self._pages.answer(asked)
        except Exception as error:  # noqa: BLE001  one page that fails must not end the thread
            words = f"this page cannot be rendered: {type(error).__name__}"
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR, words)
        configured = self._web.headers if self._web is not None else {}
        return replace(found, headers={**found.headers, **configured})

    def left(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    # --- the web configuration ----------------------------------------------------------------

    def _take_over(self, web: WebConfig | None) -> None:
        self._web = web
        self._signature = _signature(web)
        limit = web.rate_limit if web is not None else None
        self._tokens, self._filled_at = float(limit.burst if limit else 0), self._loop.time()
        former, self._passwords = self._passwords, None
        if former is not None:
            former.close()
        if web is not None and web.users:
            self._passwords = Passwords(web.users)
        self._cut_off_everybody()
        if web is not None:
            self._loop.call_later(LOOK_SECONDS, self._watch_files, web)

    def _cut_off_everybody(self) -> None:
        while self._shaking_hands:
            _cut_off(self._shaking_hands)
        for connection in tuple(self._connections):
            connection.abort()
        self._connections.clear()

    def _watch_files(self, web: WebConfig) -> None:
        """The files are looked at on another thread, for as long as they are what is in force."""
        if web is self._web:
            self._files.offer(web)
            self._loop.call_later(LOOK_SECONDS, self._watch_files, web)

    def _look_at_files(self, web: WebConfig) -> None:
        signature = _signature(web)
        if signature == self._signature or web is not self._web:
            return
        self._signature = signature  # one word on each change, also on one that is refused
        try:
            read = web_config.load(Path(web.path))
        except ConfigError as error:
            self._told(error)
        else:
            self.use(read)
            self._told(read)


def _signature(web: WebConfig | None) -> tuple[object, ...]:
    """What changes when one of the files is written or replaced."""
    found: list[object] = []
    for path in web.files if web is not None else ():
        with contextlib.suppress(OSError):  # one that is gone is a change as well
            status = Path(path).stat()
            found += [path, status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(found)


def _cut_off(sockets: dict[socket.socket, None]) -> None:
    """The oldest of them; its transport hears the end of the stream and lets go of it."""
    oldest = next(iter(sockets))
    del sockets[oldest]
    with contextlib.suppress(OSError):
        oldest.shutdown(socket.SHUT_RDWR)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening
