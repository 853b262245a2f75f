"""A repair that makes the interface anew, and a k3s that does not notice by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.decide.aftercare import CHECK_SECONDS
from tests.e2e.uplink import DEVICE, GATEWAY, REMEDIATE, SYSFS, Uplink
from tests.lab.machine import VirtualMachine
from tests.lab.rtl8156.client import Rtl8156

PORT = 6443
AGENT = "/etc/systemd/system/k3s-agent.service"
# Connected by the interface's number, and to nothing else once that is gone (k3s-io/k3s#8059).
CLINGS = f"""\
import socket, struct, time
connection = socket.socket()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"{DEVICE}")
connection.connect(("{GATEWAY}", {PORT}))
connection.settimeout(1)
while True:
    try:
        connection.send(b"x")
        connection.recv(1)
    except OSError:
        pass
    time.sleep(1)
"""
ANSWERS = f"""\
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1):
            self.request.send(data)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
socketserver.ThreadingTCPServer(("{GATEWAY}", {PORT}), Echo).serve_forever()
"""
UNIT = """\
[Service]
ExecStart=/usr/bin/python3 /root/k3s-agent.py
Restart=on-failure
RestartSec=1
"""
SERVER = "systemd-run -q --unit=k3s-server ip netns exec lan python3 /root/k3s-server.py"
CONFIG = f"""{REMEDIATE}\
  remediation:
    steps: [driver_rebind]
    aftercare: [k3s-agent.service]
"""


@pytest.fixture
def agent(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[Uplink]:
    """A node whose k3s has a connection to its server through the adapter."""
    environment = f"K3S_URL='https://{GATEWAY}:{PORT}'\n"
    machine.write("/etc/systemd/system/k3s-agent.service.env", environment)
    machine.write("/root/k3s-agent.py", CLINGS)
    machine.write("/root/k3s-server.py", ANSWERS)
    machine.write(AGENT, UNIT)
    machine.run(f"systemctl daemon-reload; systemctl stop k3s-server; {SERVER}", check=False)
    machine.run("systemctl restart k3s-agent")
    machine.wait_until(f"ss -Htn state established dport = :{PORT} | grep -q {GATEWAY}")
    uplink = Uplink(machine, CONFIG)
    try:
        uplink.wait_until_reached()
        uplink.wait_for_state("healthy")
        yield uplink
    finally:
        uplink.close()
        machine.run("systemctl stop k3s-agent k3s-server", check=False)
        machine.run(f"rm -f {AGENT} {AGENT}.env; systemctl daemon-reload")


@pytest.mark.full
def test_k3s_is_restarted_where_it_does_not_find_its_way_back(
    agent: Uplink, adapter: Rtl8156
) -> None:
    before, machine = agent.ifindex(), agent.machine
    main_pid = machine.run("systemctl show -P MainPID k3s-agent").stdout
    adapter.fault("ctl_fail")
    machine.run(f"cat {SYSFS}/speed || true")
    agent.wait_until_told("nic_wedged", "giving up")
    adapter.fault("ctl_ok")

    nothing = "k3s has heard nothing from its server since"
    told = agent.wait_until_told("aftercare_began", nothing, seconds=120 + CHECK_SECONDS)
    assert "restarting k3s-agent.service" in told["MESSAGE"]
    recovered = agent.wait_until_told("nic_recovered", "by step driver_rebind")
    assert "its driver gave up before" in recovered["MESSAGE"]
    assert ["driver_rebind"] == agent.steps()
    assert before != agent.ifindex()
    assert main_pid != machine.run("systemctl show -P MainPID k3s-agent").stdout
    shown = machine.run("nodemend incidents list").stdout
    assert "driver_rebind link_only, aftercare verified" in shown
