"""The control socket: one JSON line in, one JSON line out; mode 0600, so its owner alone.

Server and client in one file, since they are one protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
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
_WAITING_MAX = 8


class NoDaemon(Exception):
    """Nobody answers on the control socket; the words say what to do."""


class ControlServer:
    """Answers on a thread of its own, one connection at a time."""

    def __init__(self, path: Path, snapshot: Callable[[], Snapshot]) -> None:
        """Listen at `path`, in place of a socket that a dead daemon left. OSError."""
        self._path = path
        self._snapshot = snapshot
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
        return {"error": f"unknown verb {verb!r}; known: status"}


def ask(path: Path, verb: str) -> dict[str, Any]:
    """One question to the daemon. NoDaemon where it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS_MAX)
            connection.connect(str(path))
            connection.sendall(_line({"verb": verb}))
            answer = json.loads(_read_line(connection, ANSWER_BYTES_MAX))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDaemon(
            f"no daemon answers at {path}. Is it running? (systemctl status nodemend, or make run)"
        ) from error
    except PermissionError as error:
        raise NoDaemon(f"{path} may only be used by its owner: try as root (sudo)") from error
    except (OSError, ValueError) as error:
        raise NoDaemon(f"the daemon at {path} does not answer: {error}") from error
    if not isinstance(answer, dict) or "error" in answer:
        raise NoDaemon(f"the daemon at {path} refuses: {answer}")
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
