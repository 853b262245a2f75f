"""Has another program do something, and waits for its word, for a bounded time."""

from __future__ import annotations

import subprocess

SECONDS_MAX = 8.0  # less than the actor's deadline: its word is better than none


def run(*command: str) -> None:
    """Its own words where it refuses. Raises OSError."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{' '.join(command)}: no end within {SECONDS_MAX:.0f} s") from error
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
