"""A network namespace in which a CNI is at work, and the daemon guards it: for tests/bench/cni.py.

Its processes are named as the real ones are, and do nothing but what they are told: each holds one
netlink socket, as networkd and Calico do. The namespace of mounts is our own as well: k3s's control
group is a file that says it runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from agent.act import entries as act
from agent.act import link
from agent.model.cni import Entry
from agent.observe.network import list_network
from tests.unit.observe.namespace import rule

ROOT = Path(__file__).parents[2]
PORT = 19199
STANDS_SECONDS = 6.0
_CONFIG = f"""\
mode: remediate
listen: 127.0.0.1:{PORT}
cni_guard: {{repeats: {{count: 64, within: 1s}}, rest: 1s}}
"""
# Each line: a message's type and its body in hex. Prints when it was sent.
_HANDS = """\
import socket, struct, sys, time
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
kernel.bind((0, 0))
for line in sys.stdin:
    kind, body = line.split()
    body = bytes.fromhex(body)
    sent = time.monotonic_ns()
    flags = 0x605 if int(kind) % 2 == 0 else 0x5
    kernel.send(struct.pack("=IHHII", 16 + len(body), int(kind), flags, 1, 0) + body)
    kernel.recv(65536)
    print(sent, flush=True)
"""
_NEW = {"rule": 32, "route": 24, "address": 20}


class Program:
    """A process of a given name that makes and deletes entries."""

    def __init__(self, directory: Path, name: str) -> None:
        path = directory / name
        path.symlink_to(sys.executable)
        self._process = subprocess.Popen(
            [path, "-c", _HANDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def adds(self, entry: Entry) -> int:
        return self._does(_NEW[entry.kind], entry)

    def deletes(self, entry: Entry) -> int:
        """When it asked for it, CLOCK_MONOTONIC."""
        return self._does(_NEW[entry.kind] + 1, entry)

    def _does(self, kind: int, entry: Entry) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind} {entry.payload}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


class World:
    """The namespace, from the first process to the last."""

    def __init__(self, directory: Path) -> None:
        link.set_up(1, up=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/fs/cgroup"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        (directory / "k3s-agent").symlink_to("/usr/bin/sleep")
        self._k3s = subprocess.Popen([directory / "k3s-agent", "infinity"])
        group = Path("/sys/fs/cgroup/system.slice/k3s-agent.service")
        group.mkdir(parents=True)
        (group / "cgroup.procs").write_text(f"{self._k3s.pid}\n")
        self.owner = Program(directory, "cilium-agent")
        self.interferer = Program(directory, "dhclient")
        act.put_back((rule(9, 2004, 0x200, 0), rule(10, 2005, 0xA00, 2)))
        self.rule = next(entry for entry in list_network(5)[0] if entry.table == 2004)
        (directory / "config.yaml").write_text(_CONFIG)
        places = {name: str(directory / name) for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY")}
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "agent", "run", "--config", str(directory / "config.yaml")],
            cwd=ROOT,
            env={**os.environ, **places},
            stderr=(directory / "said").open("w"),
        )
        self.wait_for('nodemend_monitor_up{monitor="cni"}', 1)
        time.sleep(STANDS_SECONDS)  # longer than an entry must stand to count as lost

    def metric(self, series: str) -> float:
        """0 where there is none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for line in text.splitlines():
            if line.startswith(f"{series} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def total(self, name: str) -> float:
        """Of all series of a metric."""
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(x.rpartition(" ")[2]) for x in lines if x.startswith(f"{name}{{"))

    def wait_for(self, series: str, value: float) -> None:
        """Until the metric has this value, or more."""
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.metric(series) >= value:
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, series
            time.sleep(0.1)

    def memory_kib(self) -> int:
        """What the daemon has in memory."""
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def end(self) -> None:
        self.daemon.terminate()
        self.daemon.wait()
        self.owner.end()
        self.interferer.end()
        self._k3s.kill()
        self._k3s.wait()
