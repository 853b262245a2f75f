"""`python -m agent.act.child ACTION_JSON`: carries out one action and ends.

A process of its own, because a write to sysfs can hang for good when the device hangs
(power/control waits for the device lock: drivers/base/power/sysfs.c). Exit 0 done, 1 failed,
3 refused because the world has moved; the words are on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.codec import from_json
from agent.model.outputs import SetUsbPower

DONE, FAILED, REFUSED = 0, 1, 3
SYSFS = Path("/sys")


class Refused(Exception):
    """The evidence that the action was decided on no longer holds."""


def perform(action: SetUsbPower, sysfs: Path = SYSFS) -> None:
    """Check the evidence, write, and read back. Raises Refused or OSError."""
    usb = sysfs / "bus/usb/devices" / action.usb_path
    try:
        device_number = int((usb / "devnum").read_text())
        ifindex = int((sysfs / "class/net" / action.device / "ifindex").read_text())
        behind = (sysfs / "class/net" / action.device / "device").resolve().parent
    except FileNotFoundError as error:
        raise Refused(f"{error.filename} is gone") from error
    if device_number != action.device_number:
        raise Refused(f"{action.usb_path} is device {device_number}, not {action.device_number}")
    if ifindex != action.ifindex or behind != usb.resolve():
        raise Refused(f"{action.device} is no longer interface {action.ifindex} of {usb.name}")
    control = usb / "power/control"
    control.write_text(action.power_control)
    found = control.read_text().strip()
    if found != action.power_control:
        raise OSError(f"{control} says {found} after writing {action.power_control}")


def main(arguments: list[str]) -> int:
    """The process: one action in, one exit status out."""
    action = from_json(arguments[0], SetUsbPower)
    try:
        perform(action)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return REFUSED
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
