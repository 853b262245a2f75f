"""`python -m agent.act.child ACTION_JSON`: carries out one action and ends.

A process of its own, because a write to sysfs can hang for good when the device hangs
(power/control waits for the device lock: drivers/base/power/sysfs.c). Exit 0 done, 1 failed,
3 refused because the world has moved; the words are on stderr. On stdout it says that it begins:
until then nothing can hang but the start of a process, and nothing was done.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from agent.act import attribute
from agent.act.evidence import Refused
from agent.act.steps import PERFORMERS
from agent.codec import CodecError, from_json
from agent.model.actions import Action

DONE, FAILED, REFUSED = 0, 1, 3
BEGUN = b"."
SYSFS, DEV = Path("/sys"), Path("/dev")
_STDOUT = 1
_ANY_ACTION: Any = Action  # a union is no class, and says its members all the same


def perform(action: Action, sysfs: Path = SYSFS, dev: Path = DEV) -> None:
    """Check the evidence and change the world. Raises Refused or OSError."""
    PERFORMERS[type(action)](action, sysfs, dev)


def main(arguments: list[str]) -> int:
    """The process: one action in, one exit status out."""
    try:
        action = from_json(arguments[0], _ANY_ACTION)
        os.write(_STDOUT, BEGUN)  # whoever waited for it is gone: then nothing is done
        perform(action)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return REFUSED
    except OSError as error:
        sys.stderr.write(f"{attribute.words(error)}\n")
        return FAILED
    except CodecError as error:
        sys.stderr.write(f"no action that is known here: {error}\n")
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
