"""One HTTP connection: from bytes to a question, from an answer to bytes, with a limit on all.

HTTP's grammar is h11's; what is decided here is how much and how long.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

import h11

from agent.report.pages import Answer, Asked, plain
from agent.report.passwords import Verdict

HEADER_BYTES_MAX = 16 * 1024
REQUEST_SECONDS_MAX = 5.0  # from the connection, or from its first byte, to a whole request
ANSWER_SECONDS_MAX = 10.0  # a scrape takes milliseconds; who takes it byte by byte is cut off
IDLE_SECONDS_MAX = 120.0  # between two scrapes
_BODY_HEADERS = (b"content-length", b"transfer-encoding")


class Host(Protocol):
    """What a connection needs of its server."""

    def admits(self) -> bool:
        """Whether the rate limit has room for one more request."""

    def authorize(self, header: bytes | None, then: Callable[[Verdict], None]) -> None:
        """Judge who asks; `then` comes in the server's thread, at once or later."""

    def is_allowed(self, certificate: dict[str, Any] | None) -> bool:
        """Whether this client certificate may ask."""

    def answer(self, asked: Asked) -> Answer:
        """The answer, with the configured headers."""

    def left(self, connection: Connection) -> None:
        """The connection is over."""


class Connection(asyncio.Protocol):
    """Lives in the server's thread only."""

    def __init__(self, host: Host, *, shows_details: bool) -> None:
        self._host = host
        self._shows_details = shows_details
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._request: h11.Request | None = None
        self.waits_since = 0.0  # in the loop's time: evicted first is who waits longest
        self.is_answering = False
        self._is_full = False  # some of the answer waits for the client to take it

    # --- asyncio.Protocol -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TLS handshake, if there is one, is over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # Told of each byte that is not taken: a client that asks on and on and takes nothing must
        # not make the answers pile up here.
        transport.set_write_buffer_limits(high=0)
        self._within(REQUEST_SECONDS_MAX)
        tls = transport.get_extra_info("ssl_object")
        if not self._host.is_allowed(tls.getpeercert() if tls is not None else None):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._advance()

    def eof_received(self) -> bool:
        """Who has asked and says no more is still answered; what is left to do closes it."""
        self.data_received(b"")
        return True

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self.is_answering and self._request is None:
            self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._host.left(self)

    def abort(self) -> None:
        """Close without a further word."""
        if self._transport is not None:
            self._transport.abort()

    # --- from bytes to a question -------------------------------------------------------------

    def _advance(self) -> None:
        try:
            self._take_events()
        except h11.RemoteProtocolError as error:
            self._refuse(HTTPStatus(error.error_status_hint), "this is not HTTP as it should be")

    def _take_events(self) -> None:
        while self._transport is not None and not self.is_answering:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                return
            if isinstance(event, h11.Request):
                self._request = event
                if any(_has_body(name, value) for name, value in event.headers):
                    self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "nothing is taken in here")
                    return
            elif isinstance(event, h11.EndOfMessage):
                self._begin_answer()
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                self._transport.close()
                return

    def _begin_answer(self) -> None:
        if self._transport is None or self._request is None:
            return
        self.is_answering = True
        self._within(ANSWER_SECONDS_MAX)
        self._transport.pause_reading()
        if not self._host.admits():
            self._send(plain(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", Retry_After="1"))
            return
        self._host.authorize(self._header(b"authorization"), self._judged)

    def _judged(self, verdict: Verdict) -> None:
        if self._transport is None or self._request is None:
            return  # gone while the password was checked
        if verdict == "busy":
            busy = plain(HTTPStatus.SERVICE_UNAVAILABLE, "try again", Retry_After="1")
            self._send(busy)
        elif verdict == "wrong":
            realm = {"WWW-Authenticate": 'Basic realm="nodemend", charset="UTF-8"'}
            self._send(Answer(HTTPStatus.UNAUTHORIZED, "text/plain", b"who are you?\n", realm))
        elif self._request.method not in (b"GET", b"HEAD"):
            words = "there is nothing to change here"
            self._send(plain(HTTPStatus.METHOD_NOT_ALLOWED, words, Allow="GET, HEAD"))
        else:
            self._send(self._host.answer(self._asked(self._request)))

    def _asked(self, request: h11.Request) -> Asked:
        return Asked(
            path=request.target.partition(b"?")[0].decode("ascii", "replace"),
            accept=(self._header(b"accept") or b"").decode("latin-1"),
            accept_encoding=(self._header(b"accept-encoding") or b"").decode("latin-1"),
            details=self._shows_details or self._is_local(),
        )

    def _header(self, name: bytes) -> bytes | None:
        headers = self._request.headers if self._request is not None else ()
        return next((value for found, value in headers if found == name), None)

    def _is_local(self) -> bool:
        peer = self._transport.get_extra_info("peername") if self._transport else None
        if not peer:
            return False
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return bool((mapped or address).is_loopback)

    # --- from an answer to bytes --------------------------------------------------------------

    def _send(self, answer: Answer) -> None:
        if self._transport is None or self._request is None:
            return
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers.items(),
        ]
        sent = [
            h11.Response(status_code=answer.status, reason=answer.status.phrase, headers=headers)
        ]
        body = b"" if self._request.method == b"HEAD" else answer.body
        events = [*sent, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
        # In one piece. Python 3.12's writelines() keeps an empty buffer that follows the last byte
        # and spins on it (selector_events.py, _adjust_leftover_buffer), and h11 ends with one.
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))
        self._request = None
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
        elif not self._is_full:
            # Not at once: who sends a hundred questions in one piece takes turns with the others.
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """The answer is on its way: the connection is one that waits again."""
        if self._transport is None or self._transport.is_closing() or self._is_full:
            return
        self._http.start_next_cycle()
        self.is_answering = False
        self._within(IDLE_SECONDS_MAX)
        self._transport.resume_reading()
        self._advance()

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        """Say why, where that is still possible, and close."""
        if self._transport is None:
            return
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = f"{words}\n".encode()
            headers = [("Content-Length", str(len(body))), ("Connection", "close")]
            response = h11.Response(status_code=status, reason=status.phrase, headers=headers)
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self._transport.write(self._http.send(event) or b"")
        self._within(ANSWER_SECONDS_MAX)
        self._transport.close()

    def _within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self.waits_since = loop.time()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self.abort)


def _has_body(name: bytes, value: bytes) -> bool:
    return name in _BODY_HEADERS and not (name == b"content-length" and value == b"0")
