"""The control socket: one JSON line in, one JSON line out; mode 0600, so its owner alone.

Server and client in one file, since they are one protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

from agent.model.snapshot import Snapshot
from agent.report import status

REQUEST_BYTES_MAX = 4096
ANSWER_BYTES_MAX = 4 * 1024 * 1024
SILENCE_SECONDS_MAX = 1.0  # a client that says nothing holds up the next one no longer
ANSWER_SECONDS_MAX = 10.0
RETRY_SECONDS = 0.5
FORGET_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.02
_WAITING_MAX = 8


class NoDaemon(Exception):
    """Nobody answers on the control socket; the words say what to do."""


class Refused(Exception):
    """The daemon answers, and says no; the words say why."""


class ControlServer:
    """Answers on a thread of its own, one connection at a time."""

    def __init__(
        self, path: Path, snapshot: Callable[[], Snapshot], forget: Callable[[str], None]
    ) -> None:
        """Listen at `path`, in place of a socket that a dead daemon left. OSError.

        `forget` hands a NIC's name to the loop; both are called from a thread of its own.
        """
        self._path = path
        self._snapshot = snapshot
        self._forget_nic = forget
        self._closing = Event()
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(previous)
        self._socket.listen(_WAITING_MAX)
        Thread(target=self._serve, name="control", daemon=True).start()

    def close(self) -> None:
        """Stop answering and remove the socket."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _address = self._socket.accept()
            except OSError:
                self._closing.wait(RETRY_SECONDS)  # closed, or no descriptor left for a while
                continue
            with connection, contextlib.suppress(Exception):  # one client must not end the thread
                connection.settimeout(SILENCE_SECONDS_MAX)
                connection.sendall(_line(self._answer(_read_line(connection, REQUEST_BYTES_MAX))))

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            verb = request["verb"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": 'expected one line like {"verb": "status"}'}
        if verb == "status":
            return {"status": status.as_object(self._snapshot())}
        if verb == "forget":
            return self._forget(request.get("nic"))
        return {"error": f"unknown verb {verb!r}; known: forget, status"}

    def _forget(self, name: object) -> dict[str, Any]:
        """Hand the request to the loop; its answer is a state without that NIC."""
        refusal = _why_not(self._snapshot(), name)
        if refusal:
            return {"error": refusal}
        self._forget_nic(str(name))
        deadline = time.monotonic() + FORGET_SECONDS_MAX
        while time.monotonic() < deadline:
            if not self._closing.wait(_POLL_SECONDS) and name not in _names(self._snapshot()):
                return {"forgotten": name}
        return {"error": f"{name} is still known: {_why_not(self._snapshot(), name) or 'busy'}"}


def _names(snapshot: Snapshot) -> list[str]:
    return [nic.nic for nic in snapshot.state.nics.values()]


def _why_not(snapshot: Snapshot, name: object) -> str | None:
    """Why a NIC cannot be forgotten; None where it can."""
    for nic in snapshot.state.nics.values():
        if nic.nic == name:
            if nic.link is None:
                return None
            return f"{name} is present as {nic.link.device}: only a NIC that is gone is forgotten"
    return f"no NIC is called {name!r}; known: {', '.join(_names(snapshot)) or 'none'}"


def ask(path: Path, verb: str, **arguments: str) -> dict[str, Any]:
    """One question to the daemon. NoDaemon where it does not answer, Refused where it says no."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS_MAX)
            connection.connect(str(path))
            connection.sendall(_line({"verb": verb, **arguments}))
            answer = json.loads(_read_line(connection, ANSWER_BYTES_MAX))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDaemon(
            f"no daemon answers at {path}. Is it running? (systemctl status nodemend, or make run)"
        ) from error
    except PermissionError as error:
        raise NoDaemon(f"{path} may only be used by its owner: try as root (sudo)") from error
    except (OSError, ValueError) as error:
        raise NoDaemon(f"the daemon at {path} does not answer: {error}") from error
    if not isinstance(answer, dict):
        raise NoDaemon(f"the daemon at {path} does not answer: {answer!r}")
    if "error" in answer:
        raise Refused(str(answer["error"]))
    return answer


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _read_line(connection: socket.socket, bytes_max: int) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and len(data) < bytes_max:
        chunk = connection.recv(65536)
        if not chunk:
            break
        data += chunk
    return bytes(data)
