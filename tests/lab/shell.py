"""`make lab-shell`: a booted node with an adapter to break, and a shell on it.

python -m tests.lab.shell [bookworm | trixie]
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.lab.images import RELEASES, LabError
from tests.lab.machine import PRODUCT_PORT, booted

WELCOME = """
A node of its own, with an emulated RTL8156B on the kernel's own r8152 driver.
  nic --help               the faults: nic link_down, nic link_up, nic unplug, nic plug ss ...
  nodemend status          what the product sees (its unit is running)
  journalctl -x -t nodemend -f     what it tells, each with its page of the runbook
  curl 127.0.0.1:{port}/metrics    from the host
Leaving the shell ends the machine.
"""


def main(arguments: list[str]) -> int:
    """Boot, start what there is to see, hand over the terminal."""
    release = arguments[0] if arguments else "bookworm"
    if release not in RELEASES:
        sys.stderr.write(f"{release}: known releases are {', '.join(RELEASES)}\n")
        return 2
    print(f"Booting {release} in software emulation; this takes about half a minute.", flush=True)
    try:
        with booted(release, name=f"shell-{release}") as machine:
            machine.run("systemctl start rtl8156 nodemend", timeout_seconds=120)
            print(WELCOME.format(port=machine.port(PRODUCT_PORT)), flush=True)
            return subprocess.run([*machine.ssh(), "-tt"], check=False).returncode
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the lab boots machines: run it as root")
    sys.exit(main(sys.argv[1:]))
