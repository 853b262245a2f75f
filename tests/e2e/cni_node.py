"""A node on which a CNI is at work: its rules, routes and links are real, its processes asleep.

What nobody but the CNI's own code could do is done by `ip` in a pod's control group, and by a
process of its name: to the guard they are what they say they are.
"""

from __future__ import annotations

import shlex

from tests.e2e import cni_pods
from tests.e2e.uplink import DEVICE, GATEWAY
from tests.lab.machine import VirtualMachine

POD_SLICE = "kubepods-pod0b5c1d2e_3f40_4a5b_8c6d_7e8f90a1b2c3.slice"
NAMES = ("k3s-agent", "cilium-agent", "flanneld", "calico-node")
HANDS = "/run/cni-hands"  # a line in here is carried out by the CNI
_START = f"""
for name in {" ".join(NAMES)}; do ln -sf /usr/bin/sleep /usr/local/bin/$name; done
mkdir -p /run/flannel && echo FLANNEL_NETWORK=10.44.0.0/16 > /run/flannel/subnet.env
rm -f {HANDS} && mkfifo {HANDS}
# What was stopped may still be loaded, since other units name it: then it is started as it was.
start() {{ systemctl start $1 2>/dev/null || systemd-run -q --unit "$@"; }}
start k3s-agent /usr/local/bin/k3s-agent infinity
for name in cilium-agent flanneld calico-node; do
    start $name --slice {POD_SLICE} /usr/local/bin/$name infinity
done
start cni-hands --slice {POD_SLICE} sh -c 'exec 3<>{HANDS}; exec ip -force -b - <&3'
"""
# A second uplink, its address given by DHCP; the server is networkd as well, at the other end.
_BY_DHCP, _SERVER = "/run/systemd/network/30-up0.network", "/run/systemd/network/30-up1.network"
_SECOND_UPLINK = f"""
mkdir -p /run/systemd/network
printf '[Match]\\nName=up0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\n' > {_BY_DHCP}
printf '[Match]\\nName=up1\\n[Network]\\nAddress=10.99.0.1/24\\nDHCPServer=yes\\n' > {_SERVER}
printf '[DHCPServer]\\nEmitRouter=no\\nEmitDNS=no\\n' >> {_SERVER}
networkctl reload
ip link add up0 type veth peer name up1
until ip -4 address show dev up0 | grep -q 'inet 10.99.0'; do sleep 0.5; done
"""
_NO_SECOND_UPLINK = f"ip link del up0; rm -f {_BY_DHCP} {_SERVER}; networkctl reload\n"
# Cilium (rules of protocol unspec and kernel, `lookup local` at 100), flannel host-gw, Calico.
_STATE = f"""
ip link add cilium_net type veth peer name cilium_host
ip link set cilium_net address 02:00:00:00:01:01
ip link set cilium_host address 02:00:00:00:01:02
sysctl -q -w net.ipv4.conf.cilium_host.rp_filter=0 net.ipv4.conf.cilium_net.rp_filter=0
ip link set cilium_net up && ip link set cilium_host up
ip address add 10.42.0.7/32 dev cilium_host
ip rule add pref 9 fwmark 0x200/0xf00 lookup 2004 protocol 0
ip rule add pref 10 fwmark 0xa00/0xf00 lookup 2005 protocol kernel
ip rule add pref 100 lookup local protocol 0 && ip rule del pref 0
ip route add local default dev lo table 2004 proto kernel
ip route add 10.42.0.7 dev cilium_host table 2005 proto kernel scope link
ip route add default via 10.42.0.7 dev cilium_host table 2005 proto kernel
ip route add 10.42.0.7 dev cilium_host proto kernel scope link
ip route add 10.42.0.0/24 via 10.42.0.7 dev cilium_host proto kernel src 10.42.0.7
ip route add 10.42.1.0/24 via {GATEWAY} dev {DEVICE} proto kernel
ip route add 10.42.2.0/24 via 10.99.0.254 dev up0 proto kernel
ip route add 10.44.2.0/24 via 10.99.0.254 dev up0 proto boot
ip route add blackhole 10.43.0.0/26 proto 80
ip route add 10.43.1.0/26 via {GATEWAY} dev {DEVICE} proto 80
"""
# First of all the rule without which nobody reaches the node.
_CLEAR = """
for rule in "0 lookup local" "32766 lookup main" "32767 lookup default"; do
    ip rule show pref ${rule%% *} | grep -q . || ip rule add pref $rule protocol kernel
done
for pref in 100 9 10; do ip rule del pref $pref; done
ip route flush table 2004; ip route flush table 2005
ip link del cilium_host
for net in 10.42.1.0/24 10.42.2.0/24 10.44.2.0/24 10.43.1.0/26; do ip route del $net; done
ip route del blackhole 10.43.0.0/26
"""
_STOP = """
systemctl stop cni-hands cilium-agent flanneld calico-node k3s-agent
rm -rf /run/flannel
"""
# All that the CNI has, each on a line of its own. Its links' IPv6 addresses are the kernel's.
_SHOW = (
    "{ ip rule show; ip -d route show table all proto kernel; ip -d route show table all proto 80; "
    "ip -d route show table all proto boot; ip -4 -br address show dev cilium_host; "
    "ip -br link show dev cilium_host; sysctl net.ipv4.conf.cilium_host.rp_filter; } | "
    "grep -E 'lookup|10\\.4[234]\\.|2004|2005|cilium_host' | sort -u"
)
SETTLED_SECONDS = 30


class CniNode:
    """The machine, and what the CNI does there."""

    def __init__(self, machine: VirtualMachine) -> None:
        """Its processes, if they do not run yet, and all that they keep.

        Not before the adapter is plugged in: networkd deletes the rules of others whenever it has
        a link to configure, and nobody guards them before the product runs.
        """
        self.machine = machine
        # Of several units, is-active is content with one.
        units = ("k3s-agent", *NAMES[1:], "cni-hands")
        running = " && ".join(f"systemctl is-active -q {unit}" for unit in units)
        if machine.run(running, check=False).returncode:
            self.end(machine)
            machine.run(f"set -e\n{_START}")
            # Before the CNI's own: networkd deletes rules of others when it gets a link.
            machine.run(f"set -e\n{_SECOND_UPLINK}")
        self.make()

    def make(self) -> None:
        """All that it keeps, as if made just now."""
        self.clear()
        self.machine.run(f"set -e\n{_STATE}{cni_pods.STATE}")

    def clear(self) -> None:
        """All that it keeps is gone."""
        self.machine.run(f"({_CLEAR}{cni_pods.CLEAR}) >/dev/null 2>&1; true")

    @staticmethod
    def end(machine: VirtualMachine) -> None:
        """Its processes end."""
        machine.run(f"({_STOP}{_NO_SECOND_UPLINK}) >/dev/null 2>&1; systemctl reset-failed; true")

    def shown(self) -> list[str]:
        """What is there now."""
        return self.machine.run(_SHOW).stdout.splitlines()

    def does(self, command: str) -> None:
        """The CNI itself runs an `ip` command."""
        self.machine.run(f"echo {shlex.quote(command)} > {HANDS}")

    def wait_until_uplinks_work(self) -> None:
        """Until networkd is through with both of them, whatever happened to them."""
        for uplink in (DEVICE, "up0"):
            self.machine.wait_until(f"networkctl status {uplink} | grep -q 'routable (configured)'")

    def wait_until_settled(self) -> None:
        """Until its processes are old enough to be trusted to know what they want."""
        pids = " ".join(f"$(pgrep -x {name})" for name in NAMES[1:])
        age = f"ps -o etimes= -p $(echo {pids} | tr ' ' ,) | sort -n | head -n 1"
        self.machine.wait_until(f"test $({age}) -gt {SETTLED_SECONDS}", 120)
