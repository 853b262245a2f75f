"""From the kernel's event to the counter and to the journal."""

from __future__ import annotations

import argparse
import json
import statistics

from tests.bench.node import DEVICE, FAR, GATEWAY, BenchNode
from tests.bench.table import Row

_SECONDS_PER_EVENT_MAX = 0.5

# On the node: one process flaps, listens beside the daemon, and asks /metrics on and on.
_SCRIPT = r"""
import http.client, json, re, select, socket, struct, subprocess, sys, time

device, gateway, far, changes = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
ifindex = socket.if_nametoindex(device)
events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
events.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
events.bind((0, 1))
client = http.client.HTTPConnection("127.0.0.1", 19100)
COUNTED = re.compile(rb'nodemend_nic_(?:carrier_losses|flaps)_total\{nic="uplink"\} (\S+)')
far_end = subprocess.Popen(
    ["ip", "-n", gateway, "-batch", "-"], stdin=subprocess.PIPE, text=True, bufsize=1
)

def counted():
    client.request("GET", "/metrics")
    return sum(float(n) for n in COUNTED.findall(client.getresponse().read()))

changed = f"/sys/devices/virtual/net/{device}/carrier_changes"
setter = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

def announce(number):
    # The kernel holds back a lost carrier for up to a second (net/core/link_watch.c); any other
    # change of the link tells of it at once. RTM_SETLINK is 19, IFLA_IFALIAS is 20.
    alias = b"bench%06d\0" % number
    attribute = struct.pack("=HH", 4 + len(alias), 20) + alias
    payload = struct.pack("=BxHiII", 0, 0, ifindex, 0, 0) + attribute
    setter.send(struct.pack("=IHHII", 16 + len(payload), 19, 1, number, 0) + payload)

def carrier_of(data):
    # struct nlmsghdr, struct ifinfomsg, then attributes: IFLA_CARRIER is 33
    found, offset = None, 0
    while offset < len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if kind == 16 and struct.unpack_from("=i", data, offset + 20)[0] == ifindex:
            at = offset + 32
            while at < offset + length:
                size, name = struct.unpack_from("=HH", data, at)
                if name == 33:
                    found = data[at + 4]
                at += (size + 3) & ~3
        offset += (length + 3) & ~3
    return found

def heard(carrier):
    while True:
        if not select.select([events], [], [], 10)[0]:
            sys.exit("no event within 10 s")
        data = events.recv(65536)
        now = time.time()
        if carrier_of(data) == carrier:
            return now

def change(number):
    carrier = number % 2
    known = open(changed).read()
    far_end.stdin.write(f"link set {far} {'up' if carrier else 'down'}\n")
    while open(changed).read() == known:
        time.sleep(0.001)
    announce(number)
    return heard(carrier)

asked, questions, unasked, before = [], [], [], counted()
for number in range(changes):
    kernel = change(number)
    while True:
        began = time.time()
        total = counted()
        now = time.time()
        questions.append(now - began)
        if total > before:
            break
    before = total
    asked.append((kernel, now))
client.close()
for number in range(changes, 2 * changes):
    unasked.append(change(number))
    time.sleep(0.02)  # no flap of a NIC is shorter
print(json.dumps({"asked": asked, "question": questions, "unasked": unasked}))
"""


def measure(node: BenchNode, options: argparse.Namespace) -> list[Row]:
    """Median and 99th percentile, in milliseconds, of so many changes each."""
    changes = options.events - options.events % 2
    seconds = 120 + changes * _SECONDS_PER_EVENT_MAX
    found = json.loads(node.run_script(_SCRIPT, DEVICE, GATEWAY, FAR, changes, seconds=seconds))
    told = [
        int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        for entry in node.daemon.events()
        if entry["NODEMEND_EVENT"] in ("carrier_lost", "carrier_returned")
    ]
    if len(told) != 2 * changes:
        raise AssertionError(f"{2 * changes} changes, {len(told)} lines")
    counter = [counted - kernel for kernel, counted in found["asked"]]
    journal = [line - kernel for line, kernel in zip(told[changes:], found["unasked"])]
    question = statistics.median(found["question"])
    return [
        Row("kernel event to journal, median and p99", _median_and_p99(journal)),
        Row("kernel event to counter, median and p99", _median_and_p99(counter)),
        Row("one question to /metrics meanwhile, median", f"{question * 1e3:.1f} ms"),
    ]


def _median_and_p99(seconds: list[float]) -> str:
    p99 = statistics.quantiles(seconds, n=100)[98]
    return f"{statistics.median(seconds) * 1e3:.1f} ms, {p99 * 1e3:.1f} ms"
