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
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

from agent.model.policy import PAUSE_SECONDS_MAX, RELEASE_SECONDS_MAX
from agent.model.snapshot import Snapshot
from agent.model.state import State
from agent.report import diagnosis, gpu, incidents, status

REQUEST_BYTES_MAX = 4096
ANSWER_BYTES_MAX = 4 * 1024 * 1024
SILENCE_SECONDS_MAX = 1.0  # a client that says nothing holds up the next one no longer
ANSWER_SECONDS_MAX = 10.0
RETRY_SECONDS = 0.5
OBEY_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.02
_WAITING_MAX = 8
_REASON_CHARACTERS_MAX = 200


class NoDaemon(Exception):
    """Nobody answers on the control socket; the words say what to do."""


class Refused(Exception):
    """The daemon answers, and says no; the words say why."""


class Orders(Protocol):
    """What is handed to the loop."""

    def forget(self, nic: str) -> None:
        """A NIC that is gone for good."""

    def pause(self, seconds: int, reason: str) -> None:
        """Nothing is done for so long."""

    def resume(self) -> None:
        """Steps may be taken again."""

    def release_gpu(self, seconds: int) -> None:
        """Nothing of ours holds the GPU's driver for so long; 0: no longer."""


class ControlServer:
    """Answers on a thread of its own, one connection at a time."""

    def __init__(self, path: Path, snapshot: Callable[[], Snapshot], orders: Orders) -> None:
        """Listen at `path`, in place of a socket that a dead daemon left. OSError.

        `snapshot` and `orders` are called from a thread of its own.
        """
        self._path = path
        self._snapshot = snapshot
        self._orders = orders
        self._closing = Event()
        self._socket = _listen(path)
        self._thread = Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def check(self) -> str | None:
        """Why nobody can ask, in words; a socket that somebody removed is made anew."""
        if not self._thread.is_alive():
            return "its thread has ended"
        if self._path.is_socket():
            return None
        former = self._socket
        try:
            self._socket = _listen(self._path)
        except OSError as error:
            return f"{self._path} is gone and cannot be made anew: {error.strerror}"
        with contextlib.suppress(OSError):
            former.shutdown(socket.SHUT_RDWR)  # wakes the thread, which goes on with the new one
        former.close()
        return None

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
        if verb == "incidents":
            return {"incidents": incidents.as_objects(self._snapshot().state)}
        if verb == "report":
            return self._report(request.get("since_seconds"))
        if verb == "gpu":
            snapshot = self._snapshot()
            return {"gpu": gpu.as_object(snapshot.gpu, snapshot.state.gpu)}
        if verb == "release_gpu":
            return self._release_gpu(request.get("seconds"))
        if verb == "forget":
            return self._forget(request.get("nic"))
        if verb == "pause":
            return self._pause(request.get("seconds"), request.get("reason", ""))
        if verb == "resume":
            self._orders.resume()
            return self._once(lambda state: state.pause is None, {"resumed": True})
        known = "forget, gpu, incidents, pause, release_gpu, report, resume, status"
        return {"error": f"unknown verb {verb!r}; known: {known}"}

    def _report(self, since_seconds: object) -> dict[str, Any]:
        if not isinstance(since_seconds, int) or since_seconds <= 0:
            return {"error": f"expected since_seconds, found {since_seconds!r}"}
        at = self._snapshot()
        policy = replace(at.policy, mode=at.mode)
        return {"report": diagnosis.as_object(at.state.nics, policy, at.at, since_seconds)}

    def _forget(self, name: object) -> dict[str, Any]:
        """Hand the request to the loop; its answer is a state without that NIC."""
        refusal = _why_not(self._snapshot(), name)
        if refusal:
            return {"error": refusal}
        self._orders.forget(str(name))
        return self._once(lambda state: name not in _names(state), {"forgotten": name})

    def _pause(self, seconds: object, reason: object) -> dict[str, Any]:
        if not isinstance(seconds, int) or not 0 < seconds <= PAUSE_SECONDS_MAX:
            return {"error": f"expected 1 to {PAUSE_SECONDS_MAX} seconds, found {seconds!r}"}
        words = str(reason)[:_REASON_CHARACTERS_MAX]
        before = self._snapshot().state.pause
        self._orders.pause(seconds, words)
        return self._once(lambda state: state.pause not in (None, before), {"paused": seconds})

    def _release_gpu(self, seconds: object) -> dict[str, Any]:
        """Answered once the driver is let go of; refused where a process that hangs holds it."""
        if not isinstance(seconds, int) or not 0 <= seconds <= RELEASE_SECONDS_MAX:
            return {"error": f"expected 0 to {RELEASE_SECONDS_MAX} seconds, found {seconds!r}"}
        if self._snapshot().gpu.condition == "absent":
            return {"error": self._snapshot().gpu.words}
        self._orders.release_gpu(seconds)
        answer = self._when(
            lambda snapshot: (snapshot.gpu.condition == "released") == bool(seconds),
            {"released": seconds},
        )
        view = self._snapshot().gpu
        if "error" in answer and view.condition == "failed":
            return {"error": view.words}
        return answer

    def _once(self, obeyed: Callable[[State], bool], answer: dict[str, Any]) -> dict[str, Any]:
        return self._when(lambda snapshot: obeyed(snapshot.state), answer)

    def _when(self, obeyed: Callable[[Snapshot], bool], answer: dict[str, Any]) -> dict[str, Any]:
        """The answer, when the loop has done what it was told to."""
        deadline = time.monotonic() + OBEY_SECONDS_MAX
        while time.monotonic() < deadline:
            if obeyed(self._snapshot()):
                return answer
            if self._closing.wait(_POLL_SECONDS):
                break
        return {"error": "the daemon is busy and did not get to it; see nodemend status"}


def _listen(path: Path) -> socket.socket:
    """A socket at `path`, in place of what is there. OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(previous)
    listening.listen(_WAITING_MAX)
    return listening


def _names(state: State) -> list[str]:
    return [nic.nic for nic in state.nics.values()]


def _why_not(snapshot: Snapshot, name: object) -> str | None:
    """Why a NIC cannot be forgotten; None where it can."""
    for nic in snapshot.state.nics.values():
        if nic.nic == name:
            if nic.link is None:
                return None
            return f"{name} is present as {nic.link.device}: only a NIC that is gone is forgotten"
    return f"no NIC is called {name!r}; known: {', '.join(_names(snapshot.state)) or 'none'}"


def ask(path: Path, verb: str, **arguments: str | int) -> dict[str, Any]:
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
