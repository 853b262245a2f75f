"""`python3 -m tests.lab.rtl8156 [--speed ss|hs]`: plug the adapter in and take commands."""

from __future__ import annotations

import argparse

from tests.lab.rtl8156 import bus, control, frames
from tests.lab.rtl8156.adapter import Adapter


def main() -> None:
    parser = argparse.ArgumentParser(prog="rtl8156", description=__doc__)
    parser.add_argument("--speed", choices=("ss", "hs"), default="ss")
    options = parser.parse_args()
    bus.detach_leftovers()
    adapter = Adapter(frames.Tap())
    adapter.set("plug", options.speed)
    control.serve(adapter)


main()
