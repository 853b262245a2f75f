"""`python -m agent.observe.holder_service`: says who holds a socket, to whom may not look himself.

A process of its own, nodemend-holders.service: the two capabilities that the look takes are the
strongest that the product needs, and the daemon, which talks to the network, does not have them. It
is handed a listening socket by systemd (nodemend-holders.socket), which only root may connect to;
it answers a line of inodes with a line of JSON, and ends when nobody has asked for a while.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.codec import CodecError, from_json, to_json
from agent.observe import socket_holders
from agent.observe.socket_holders import Holder

ADDRESS = "/run/nodemend-holders.sock"
INODES_MAX = 1024
LINE_BYTES_MAX = 64 * 1024
ANSWER_BYTES_MAX = 1024 * 1024
CLIENT_SECONDS = 8.0  # less than a question may take (inquiry.py)
IDLE_SECONDS = 300.0
_LISTEN_FDS_START = 3  # sd_listen_fds(3)


@dataclass(frozen=True)
class Answer:
    """Of the sockets that were asked about, those whose holder is seen."""

    holders: Mapping[str, Holder]  # by inode


def ask(inodes: Iterable[str], address: str = ADDRESS) -> dict[str, Holder]:
    """What the service says. OSError: it is not there, or does not answer."""
    line = " ".join(list(inodes)[:INODES_MAX])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(CLIENT_SECONDS)
        client.connect(address)
        client.sendall(f"{line}\n".encode("ascii"))
        raw = _line(client, ANSWER_BYTES_MAX)
    try:
        return dict(from_json(raw.decode("utf-8", "replace"), Answer).holders)
    except CodecError as error:
        raise OSError(f"{address} answers with nonsense: {error}") from error


def serve(listening: socket.socket, proc: Path = Path("/proc")) -> None:
    """Answer until nobody has asked for IDLE_SECONDS."""
    listening.settimeout(IDLE_SECONDS)
    while True:
        try:
            client, _ = listening.accept()
        except TimeoutError:
            return
        with client:
            client.settimeout(CLIENT_SECONDS)
            try:
                client.sendall(_answer(_line(client, LINE_BYTES_MAX), proc))
            except OSError as error:
                sys.stderr.write(f"a client was not answered: {error}\n")


def _answer(line: bytes, proc: Path) -> bytes:
    inodes = [word for word in line.decode("ascii", "replace").split() if word.isdigit()]
    answer = Answer(socket_holders.find(inodes[:INODES_MAX], proc))
    return to_json(answer).encode("utf-8", "replace") + b"\n"


def _line(stream: socket.socket, bytes_max: int) -> bytes:
    """Up to the first end of a line. OSError: there is none."""
    received = b""
    while not received.endswith(b"\n"):
        part = stream.recv(4096)
        if not part or len(received) > bytes_max:
            raise OSError("it ended within a line, or the line has no end")
        received += part
    return received


def main() -> int:
    """The service."""
    if os.environ.get("LISTEN_FDS") != "1" or os.environ.get("LISTEN_PID") != str(os.getpid()):
        sys.stderr.write("started without a socket: it is nodemend-holders.socket that starts it\n")
        return 2
    with socket.socket(fileno=_LISTEN_FDS_START) as listening:
        serve(listening)
    return 0


if __name__ == "__main__":
    sys.exit(main())
