"""Two pods on two nodes: how many pings between them does an event cost?

The one's namespace hangs on this node by a veth, the other one's on the network behind the adapter.
Between them lie the routes that the CNI keeps: without them, no ping is answered.
"""

from __future__ import annotations

import re
import shlex

from tests.e2e.uplink import DEVICE
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156 import frames

OTHER_NODE = "192.168.77.3"
OTHER_POD = "10.44.1.9"
WINDOW_SECONDS = 30
PINGS_A_SECOND = 5
_BEFORE_SECONDS = 2
_POD, _NODE = "pod-a", "node-b"
# The other node has a hardware address of its own: the default route does not lead to it. It is the
# same each time: else this node would send to the one before until it has found that out.
STATE = f"""
sysctl -q -w net.ipv4.ip_forward=1
ip netns add {_POD} && ip link add lxc_a type veth peer name eth0 netns {_POD}
ip link set lxc_a up && ip -n {_POD} link set eth0 up
ip -n {_POD} address add 10.42.0.21/32 dev eth0
ip -n {_POD} route add 10.42.0.7 dev eth0 && ip -n {_POD} route add default via 10.42.0.7
ip route add 10.42.0.21 dev lxc_a proto kernel scope link
ip netns add {_NODE}
ip -n {frames.NAMESPACE} link add link {frames.TAP} name nb0 \
    address 02:00:00:00:02:01 type macvlan mode bridge
ip -n {frames.NAMESPACE} link set nb0 netns {_NODE}
ip -n {_NODE} link set lo up && ip -n {_NODE} link set nb0 up
ip -n {_NODE} address add {OTHER_NODE}/24 dev nb0
ip -n {_NODE} address add {OTHER_POD}/32 dev lo
ip -n {_NODE} route add 10.42.0.0/24 via 192.168.77.2
ip route add 10.44.1.0/24 via {OTHER_NODE} dev {DEVICE} proto boot
"""
CLEAR = f"ip route del 10.44.1.0/24; ip link del lxc_a; ip netns del {_POD}; ip netns del {_NODE}\n"
PING = f"ip netns exec {_POD} ping -q -W 1 -i {1 / PINGS_A_SECOND} {OTHER_POD}"
# Without these the machine cannot be reached, and nobody puts them back where nobody guards it.
_REACHABLE = "; ".join(
    f"ip rule show | grep -q 'lookup {table}' || "
    f"ip rule add pref {pref} lookup {table} protocol kernel"
    for pref, table in ((100, "local"), (32766, "main"), (32767, "default"))
)


def pings_lost(machine: VirtualMachine, command: str) -> int:
    """Of those that were sent in a window at whose beginning the command is run."""
    count = WINDOW_SECONDS * PINGS_A_SECOND
    pings = f"{PING} -c {count} > /run/pings & sleep {_BEFORE_SECONDS}"
    script = shlex.quote(f"{pings}; {command}; wait; {_REACHABLE}")
    # On its own: the way by which it was asked for may be what is lost.
    machine.run(f"systemd-run -q --wait sh -c {script}", timeout_seconds=120)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", machine.read("/run/pings"))
    assert found, machine.read("/run/pings")
    return int(found[1]) - int(found[2])
