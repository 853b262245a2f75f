"""The link's speed, read by a child process with a deadline.

The read takes RTNL and goes to the hardware: with a hung adapter it hangs in the kernel, where
nothing can interrupt it. A child that cannot be killed is left to itself and never multiplied.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

DEADLINE_SECONDS = 4.0  # less than one USB control timeout (USB_CTRL_GET_TIMEOUT, 5 s)
KILL_SECONDS = 1.0

_MEGABIT = 1_000_000
_PROGRAM = "/bin/cat"  # starts within a millisecond, and has nothing of ours to hold on to


class SpeedReader:
    """One reading at a time; blocks its caller until the deadline."""

    def __init__(self) -> None:
        """No child yet."""
        self._stuck: subprocess.Popen[bytes] | None = None

    def read(self, device: str, sysfs: Path) -> int | None:
        """Bits per second; None where the driver does not know it, or has none to tell.

        TimeoutError where it did not answer in time; BlockingIOError where it could not be asked,
        since an earlier reading, perhaps of another link, still hangs.
        """
        if self._stuck is not None and self._stuck.poll() is None:
            raise BlockingIOError("an earlier reading of a speed still hangs in the kernel")
        command = [_PROGRAM, str(sysfs / "class/net" / device / "speed")]
        # Not in a `with`: leaving it would wait for a child that never ends.
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            said, _ = child.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self._give_up(child)
            raise TimeoutError(f"no answer within {DEADLINE_SECONDS:.0f} s") from None
        if child.returncode:
            return None  # EINVAL: the link was set down meanwhile, or the driver has no speed
        megabits = int(said)
        return megabits * _MEGABIT if megabits > 0 else None

    def _give_up(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        try:
            child.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._stuck = child
        if child.stdout is not None:
            child.stdout.close()
