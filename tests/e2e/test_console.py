"""The only link is dead: whoever stands at the console reads what to do, before logging in."""

from __future__ import annotations

from tests.e2e.service import Daemon
from tests.e2e.uplink import CONFIG, DEVICE, Uplink
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

ISSUE, MOTD = "/run/issue.d/nodemend.issue", "/run/motd.d/nodemend"


def test_a_dead_link_is_told_at_the_login_prompt_until_it_is_back(
    machine: VirtualMachine, uplink: Uplink, adapter: Rtl8156
) -> None:
    uplink.daemon = Daemon(machine, CONFIG)
    uplink.wait_until_reached()
    uplink.wait_for_state("healthy")
    adapter.link_down()

    said = machine.wait_until(f"cat {ISSUE} {MOTD}")
    assert "THIS NODE HAS NO WORKING UPLINK" in said
    assert f"uplink ({DEVICE}) is DOWN since" in said
    assert "Next: Check the cable at both ends" in said
    # What agetty really prints above the prompt: it is the one that reads the file.
    shown = machine.run("script -qec 'agetty --show-issue' /dev/null").stdout
    assert "NO WORKING UPLINK" in shown

    adapter.link_up()
    machine.wait_until(f"! test -e {ISSUE} && ! test -e {MOTD}")
