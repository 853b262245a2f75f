"""What another program prints, for a bounded time: whoever hangs is not waited for."""

from __future__ import annotations

import subprocess

_WORDS_MAX = 300  # characters of its complaint that are passed on


class Unanswered(Exception):
    """It said nothing, or nothing that can be understood; the words say why."""


def printed(command: tuple[str, ...], seconds_max: float) -> str:
    """Its standard output. Unanswered, also where it fails."""
    name = f"`{command[0]}`"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds_max,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unanswered(f"{name} did not end within {seconds_max:.0f} s") from None
    except OSError as error:
        raise Unanswered(f"{name} cannot be run: {error.strerror or error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-_WORDS_MAX:]
        raise Unanswered(said or f"{name} failed")
    return done.stdout.decode(errors="replace")
