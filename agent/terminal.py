"""What the command line says, and the exit status that goes with it."""

from __future__ import annotations

import sys

from agent.places import places

FINE, NO, USAGE = 0, 1, 2


def order(said: str, verb: str, **arguments: str | int) -> int:
    """Tell the daemon, and say that it obeyed."""
    from agent.report import control

    try:
        control.ask(places().control_socket, verb, **arguments)
    except (control.NoDaemon, control.Refused) as error:
        return complain(str(error), NO)
    show(said)
    return FINE


def show(text: str) -> None:
    """On standard output."""
    sys.stdout.write(text + "\n")


def say(text: str) -> None:
    """On standard error."""
    sys.stderr.write(text + "\n")


def complain(text: str, status: int) -> int:
    """Each line with whose it is; the exit status."""
    for line in text.splitlines():
        sys.stderr.write(f"nodemend: {line}\n")
    return status
