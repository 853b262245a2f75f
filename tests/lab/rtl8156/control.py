"""The one command channel: a socket that takes and gives one JSON line per connection."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab.rtl8156.adapter import Adapter

PATH = Path("/run/rtl8156.sock")
LINE_BYTES_MAX = 4096
CLIENT_SECONDS_MAX = 10.0
# Plugging in waits until the driver has let go of the adapter before: bus.PORT_SECONDS_MAX.
ANSWER_SECONDS_MAX = 60.0


def serve(adapter: Adapter, ready: Callable[[], None]) -> None:
    """Answer for ever, one connection after the other; `ready` is called when that begins."""
    PATH.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(PATH))
        listener.listen(8)
        ready()
        while True:
            connection, _address = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(CLIENT_SECONDS_MAX)
                answer = _answer(adapter, connection.recv(LINE_BYTES_MAX))
                connection.sendall(json.dumps(answer).encode() + b"\n")


def ask(name: str, arguments: list[str]) -> dict[str, Any]:
    """The other end, for the `nic` command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS_MAX)
        connection.connect(str(PATH))
        connection.sendall(json.dumps({"fault": name, "arguments": arguments}).encode() + b"\n")
        with connection.makefile() as answer:
            return dict(json.loads(answer.readline()))


def _answer(adapter: Adapter, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        name, arguments = str(request["fault"]), [str(word) for word in request["arguments"]]
        if name == "truth":
            return {"ok": True, **adapter.truth.as_object()}
        if name == "anew":
            return {"ok": True, **adapter.begin_anew()}
        return {"ok": True, **adapter.command(name, arguments)}
    except (ValueError, KeyError, TypeError, OSError) as error:
        return {"ok": False, "error": str(error)}
