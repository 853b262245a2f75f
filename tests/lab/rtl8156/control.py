"""The one command channel: a socket that takes and gives one JSON line per connection."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from typing import Any

from tests.lab.rtl8156.adapter import Adapter
from tests.lab.rtl8156.faults import value_of

PATH = "/run/rtl8156.sock"
LINE_BYTES_MAX = 4096
CLIENT_SECONDS_MAX = 10.0


def serve(adapter: Adapter, ready: Callable[[], None]) -> None:
    """Answer for ever, one connection after the other; `ready` is called when that begins."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(PATH)  # noqa: PTH108  no pathlib needed
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(PATH)
        listener.listen(8)
        ready()
        while True:
            connection, _address = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(CLIENT_SECONDS_MAX)
                answer = _answer(adapter, connection.recv(LINE_BYTES_MAX))
                connection.sendall(json.dumps(answer).encode() + b"\n")


def _answer(adapter: Adapter, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        name, arguments = str(request["fault"]), list(request.get("arguments", []))
        if name == "truth":
            return {"ok": True, **adapter.truth.as_object()}
        return {"ok": True, **adapter.set(*value_of(name, arguments))}
    except (ValueError, KeyError, TypeError, OSError) as error:
        return {"ok": False, "error": str(error)}


def ask(name: str, arguments: list[str]) -> dict[str, Any]:
    """The other end, for the `nic` command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(PATH)
        connection.sendall(json.dumps({"fault": name, "arguments": arguments}).encode() + b"\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return dict(json.loads(answer))
