"""A node at this machine's own speed: the product and, beside it, Debian's node_exporter.

A container, since a virtual machine in software emulation measures the emulation. Its kernel,
rtnetlink, systemd and journald are real. No USB NIC can be plugged into it: the uplink is a veth
whose other end, with the gateway's address, is in a network namespace, and whose place in sysfs
is played by files, so that the product takes it for an RTL8156 and does all that it does for one.
The one thing changed in the product: that link's rtnl kind does not make it a virtual one.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.builders import LINK
from tests.e2e.service import Daemon
from tests.lab import images, prometheus
from tests.lab.container import Container, booted
from tests.unit.doctor.node import USB, Node

CONFIG = 'usb_nic:\n  match: [{vendor_id: "0bda", name: uplink}]\n'
DEVICE, FAR, GATEWAY = "uplink0", "far0", "gateway"
_REAL = "/sys/devices/virtual/net"
_LINKS = f"""
ip netns add {GATEWAY}
ip link add {DEVICE} type veth peer name {FAR} netns {GATEWAY}
ip -n {GATEWAY} addr add 192.0.2.1/24 dev {FAR}
ip -n {GATEWAY} link set {FAR} up
ip addr add 192.0.2.2/24 dev {DEVICE}
ip link set {DEVICE} up
ip route add default via 192.0.2.1 dev {DEVICE}
"""
_PRODUCT = f"""
import sys
from dataclasses import replace
from agent.cli import main
from agent.observe import rtnetlink
read = rtnetlink._link
def link(message):
    found = read(message)
    return replace(found, physical=found.physical or found.device == "{DEVICE}")
rtnetlink._link = link
sys.exit(main(["run"]))
"""
_DROP_IN = """
[Service]
ExecStart=
ExecStart=/opt/nodemend/current/bin/python3 /opt/bench/product.py
"""


@dataclass(frozen=True)
class BenchNode:
    """The container, and the product that runs in it."""

    container: Container
    daemon: Daemon

    def pid(self, unit: str) -> int:
        """Within the container."""
        return int(self.container.run(f"systemctl show -p MainPID --value {unit}").stdout)

    def pid_outside(self, pid: int) -> int:
        """The same process, as this machine numbers it."""
        namespace = Path(f"/proc/{self.container.init}/ns/pid").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # one that has ended meanwhile
                status = (process / "status").read_text()
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
                inside = (process / "ns/pid").readlink() == namespace
                if inside and int(numbers.split()[-1]) == pid:
                    return int(process.name)
        raise images.LabError(f"no process {pid} in the container")

    def run_script(self, script: str, *arguments: object, seconds: float) -> str:
        """A Python program on the node; what it prints."""
        self.container.write("/run/bench.py", script)
        words = " ".join(str(argument) for argument in arguments)
        return self.container.run(f"python3 /run/bench.py {words}", timeout_seconds=seconds).stdout

    def list_in_sysfs(self) -> None:
        """Show the links that are there by now where node_exporter looks for them."""
        self.container.run(
            f"cd /sys/class/net && for link in {_REAL}/*; do "
            'test -e "${link##*/}" || ln -s "$link"; done'
        )


@contextlib.contextmanager
def bench_node() -> Iterator[BenchNode]:
    """Booted, the uplink judged healthy, both services running."""
    with (
        # On a disk: what is written is counted.
        tempfile.TemporaryDirectory(prefix="nodemend-bench-", dir="/var/tmp") as state,
        booted("bookworm", "bench", Path(state)) as container,
    ):
        container.run(f"set -e; {_LINKS}")
        _play_a_usb_nic(container)
        container.write("/opt/bench/product.py", _PRODUCT)
        container.write("/run/systemd/system/nodemend.service.d/bench.conf", _DROP_IN)
        container.run("systemctl daemon-reload")
        prometheus.start_exporter(container)
        node = BenchNode(container, Daemon(container, CONFIG))
        try:
            container.wait_until("nodemend status | grep -qx 'All is well: uplink.'")
            yield node
        finally:
            node.daemon.stop()


def _play_a_usb_nic(container: Container) -> None:
    """Its place in sysfs, mounted over the directory of links; its counters are the veth's own."""
    ifindex = int(container.run(f"cat {_REAL}/{DEVICE}/ifindex").stdout)
    # The tree's links are absolute: it has the same path here and there.
    with tempfile.TemporaryDirectory(prefix="nodemend-bench-", dir="/run") as directory:
        tree = Node(Path(directory))
        tree.usb_nic(replace(LINK, device=DEVICE, ifindex=ifindex))
        netdev = f"{USB}/2-1:1.0/net/{DEVICE}"
        for name in ("statistics", "queues"):
            tree.link(f"{netdev}/{name}", f"{_REAL}/{DEVICE}/{name}")
        send(
            container,
            ["tar", "-C", directory, "-c", "sys"],
            f"mkdir {directory} && tar -x -C {directory}",
        )
    container.run(
        f"mount -t tmpfs tmpfs /sys/class/net && ln -s {directory}/{netdev} /sys/class/net/{DEVICE}"
    )


def send(container: Container, source: list[str], take: str) -> None:
    """What a program of this machine prints, to a shell command on the node."""
    content = subprocess.run(source, capture_output=True, check=True, timeout=60).stdout
    taken = subprocess.run(
        container.shell(take),
        input=content,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if taken.returncode:
        raise images.LabError(f"{take}: {taken.stderr!r}")
