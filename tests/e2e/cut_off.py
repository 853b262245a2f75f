"""A step that is cut off: the daemon and what it started are stopped at a moment of the step.

Stopped (cgroup.freeze), not killed: what follows, a kill or a power cut, takes a while to arrive,
and finds everything as it was at that moment.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from tests.e2e.breakages import BreakIt, lose_addresses, lose_name, wedge
from tests.e2e.test_flap import FLAPS, LOSSES
from tests.e2e.uplink import DEVICE, REMEDIATE, Uplink
from tests.lab.node import Looks
from tests.lab.rtl8156.client import Rtl8156

Moment: TypeAlias = Literal["on record", "half done", "before the verdict"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)

USB = "/sys/bus/usb/devices/4-1"
STATE = "/var/lib/nodemend/state.json"
_STOPS_WITHIN_SECONDS, _OVER_WITHIN_SECONDS = 120, 180
_GROUP = "/sys/fs/cgroup/system.slice/nodemend.service"
_IS_DOWN = "any(read(f'{path}/operstate') == 'down' for path in nets)"


@dataclass(frozen=True)
class CutOff:
    """A step, a fault that earns it where nothing else is allowed, and when it is half done."""

    earned_by: BreakIt
    half_done: str  # in Python: read() reads a file, `nets` are the adapter's links


def _deaf(_uplink: Uplink, adapter: Rtl8156) -> None:
    """The carrier lies, and nobody answers."""
    adapter.fault("intr_dead")
    adapter.link_down()


STEPS: Mapping[str, CutOff] = {
    "link_bounce": CutOff(_deaf, _IS_DOWN),
    "restore_name": CutOff(lose_name, _IS_DOWN),
    "renew_addresses": CutOff(lose_addresses, "child()"),
    "usb_reset": CutOff(wedge, "'/dev/bus/usb/' in child_files()"),
    "driver_rebind": CutOff(wedge, f"not exists('{USB}:1.0/driver')"),
    "usb_config_cycle": CutOff(wedge, f"not exists('{USB}:1.0')"),
    "usb_reauthorize": CutOff(wedge, f"read('{USB}/authorized') == '0'"),
    "port_power": CutOff(wedge, f"not exists('{USB}')"),
}

# On the node: nothing else is fast enough. Once the step is on record its child still has to start
# Python; with the half of it done, the child stops as soon as the kernel lets go of it. A link is
# down, and a driver unbound, for a few milliseconds on the one processor: so the watch comes before
# everybody else (SCHED_FIFO) and is woken by the kernel's own messages. It looks around no more
# than it has to: the child needs the processor more.
_WATCH = f"""\
import glob, json, os, select, socket, sys, time
from os.path import exists

def read(path):
    try:
        return open(path).read().strip()
    except OSError:
        return ""

def step():
    try:
        nics = json.loads(read("{STATE}"))["durable"]["nics"].values()
    except ValueError:
        return ""
    return next((nic["step"]["step"] for nic in nics if nic["step"]), "")

def child():
    for pid in read("{_GROUP}/cgroup.procs").split():
        if "agent.act.child" in read(f"/proc/{{pid}}/cmdline"):
            return pid
    return None

def child_files():
    try:
        return " ".join(os.readlink(path) for path in glob.glob(f"/proc/{{child()}}/fd/*"))
    except OSError:
        return ""

def kernel(protocol, groups):
    messages = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    messages.bind((0, groups))
    return messages

links, devices = kernel(0, 1), kernel(15, 1)  # RTMGRP_LINK; NETLINK_KOBJECT_UEVENT

def until(condition, pause):
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("the moment did not come")
        for messages in select.select([links, devices], [], [], pause)[0]:
            messages.recv(65536)

name, moment, half_done = sys.argv[1:]
deadline = time.monotonic() + {_STOPS_WITHIN_SECONDS}
until(lambda: step() == name, 0.1)
nets = glob.glob("{USB}:*/net/*")
if moment == "half done":
    half_done = compile(half_done, "half_done", "eval")
    until(lambda: eval(half_done), 0.05)
if moment == "before the verdict":
    until(child, 0.05)
    until(lambda: not child(), 0.05)
open("{_GROUP}/cgroup.freeze", "w").write("1")
print("stopped")
"""


def stop_at(uplink: Uplink, adapter: Rtl8156, step: str, moment: Moment) -> None:
    """Break the adapter, and stop the daemon at this moment of the step that it takes."""
    machine, cut_off = uplink.machine, STEPS[step]
    machine.write("/run/watch.py", _WATCH)
    words = shlex.join(["python3", "/run/watch.py", step, moment, cut_off.half_done])
    first = "-p CPUSchedulingPolicy=fifo -p CPUSchedulingPriority=50"
    watch = f"systemd-run -q --collect {first} sh -c {shlex.quote(_SAY % words)}"
    machine.run(f"rm -f /run/watched; {watch}")
    cut_off.earned_by(uplink, adapter)
    # One look a second, by a command that is there already: the child needs the processor more.
    wait = "until test -e /run/watched; do sleep 1; done; cat /run/watched"
    said = machine.run(wait, _STOPS_WITHIN_SECONDS + 30).stdout
    assert "stopped" == said.strip()


_SAY = "%s > /run/watching 2>&1; mv /run/watching /run/watched"

BUDGET_STEPS = 3

KILL = f"kill -9 $(systemctl show -p MainPID --value nodemend); echo 0 > {_GROUP}/cgroup.freeze"

# What must not be left behind, whatever happened: a shell command that fails where it is.
NOTHING_IS_OFF = (
    f'grep -qx 1 {USB}/authorized && test -n "$(cat {USB}/bConfigurationValue)" && '
    f"test -e {USB}:1.0/driver && grep -qx 0 {USB}/port/disable && "
    f"grep -qx 0 {USB}/port/peer/disable && ip link show up dev {DEVICE} | grep -q UP"
)


def config_of(step: str) -> str:
    """Nothing but this step is allowed, and not often."""
    budget = f"{{steps: {BUDGET_STEPS}, within: 1h}}"
    return f"{REMEDIATE}  remediation: {{steps: [{step}], budget: {budget}}}\n"


def record(uplink: Uplink) -> dict[str, Any]:
    """What the disk says of the NIC."""
    stored = json.loads(uplink.machine.read(STATE))
    return dict(next(n for n in stored["durable"]["nics"].values() if n["nic"] == "uplink"))


def wait_until_over(uplink: Uplink) -> dict[str, Any]:
    """Until no step is under way, and none can follow in this climb; what the disk says then."""
    looks = Looks(_OVER_WITHIN_SECONDS)
    while True:
        nic = record(uplink)
        climb = nic["climb"]
        if nic["step"] is None and (climb is None or climb["tried"]):
            return nic
        assert looks.rest(), nic


def flap(uplink: Uplink, adapter: Rtl8156) -> None:
    """Something that can be forgotten."""
    adapter.link_down()
    uplink.wait_for_sample(LOSSES, 1)
    adapter.link_up()
    uplink.wait_for_sample(FLAPS, 1)
    uplink.wait_until_reached()
    uplink.machine.wait_until(f"grep -q '\"flaps_total\":1' {STATE}")
