"""`python3 -m tests.lab.rtl8156 [--speed ss|hs]`: plug the adapter in and take commands."""

from __future__ import annotations

import argparse
import os
import socket

from tests.lab.rtl8156 import bus, control, frames
from tests.lab.rtl8156.adapter import Adapter


def main() -> None:
    parser = argparse.ArgumentParser(prog="rtl8156", description=__doc__)
    parser.add_argument("--speed", choices=("ss", "hs"), default="ss")
    options = parser.parse_args()
    bus.detach_leftovers()
    adapter = Adapter(frames.Tap())
    adapter.plug(options.speed)
    control.serve(adapter, ready=_tell_systemd)


def _tell_systemd() -> None:
    """sd_notify(3), as far as it is needed here."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.sendto(b"READY=1", address.replace("@", "\0", 1))


main()
