"""When k3s's agent last heard from a server of its cluster, from the kernel's own TCP sockets.

A connection that is dead stays "established" for a quarter of an hour (tcp(7), tcp_retries2). But
the kernel knows when it last got a packet on it (sock_diag(7), INET_DIAG_INFO), and whose it is by
its control group (INET_DIAG_CGROUP_ID, Linux 5.9): no privilege is needed for either.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.netlink_messages import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    SOCK_DIAG_BY_FAMILY,
    inet_diag_msg,
    inet_diag_req,
)
from agent.observe import k3s, netlink

# A server has its cluster's API on this machine: there nothing is to be found out.
_UNIT = "system.slice/k3s-agent.service"
_CGROUPS = ("sys/fs/cgroup", "sys/fs/cgroup/unified")  # the second one on a hybrid hierarchy
_NETLINK_SOCK_DIAG = 4  # linux/netlink.h
_ESTABLISHED, _INET_DIAG_INFO = 1, 2  # net/tcp_states.h, linux/inet_diag.h
_SECONDS_MAX = 3.0
_DATAGRAM_BYTES_MAX = 64 * 1024
_MILLISECOND_NS = 1_000_000


def heard_ns(root: Path = Path("/")) -> int | None:
    """CLOCK_BOOTTIME of the latest packet from a server, 0: there is no connection.

    None where no k3s agent runs on this machine, or whose the sockets are cannot be known.
    OSError, TimeoutError, ValueError.
    """
    unit, port = _control_group(root), k3s.server_port(root)
    if unit is None or port is None:
        return None
    latest = 0
    for message in _established(port):
        owner = message.get_attr("INET_DIAG_CGROUP_ID")
        if owner is None:
            return None  # a kernel without it: k3s's connections cannot be told from others
        if owner == unit and not ipaddress.ip_address(message["idiag_dst"]).is_loopback:
            latest = max(latest, _heard_ns(message))
    return latest


def _control_group(root: Path) -> int | None:
    """The number of the agent's control group, which is its inode's (kernfs, 64-bit)."""
    for hierarchy in _CGROUPS:
        place = root / hierarchy
        if (place / "cgroup.procs").exists() and (place / _UNIT).is_dir():
            return (place / _UNIT).stat().st_ino
    return None


def _heard_ns(message: Any) -> int:
    info = message.get_attr("INET_DIAG_INFO")
    if info is None:
        return 0
    ago_ms = min(info["tcpi_last_data_recv"], info["tcpi_last_ack_recv"])
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - int(ago_ms) * _MILLISECOND_NS


def _established(port: int) -> Iterator[Any]:
    """IPv4 connections to this port: Go's dialer makes no others to an IPv4 address."""
    deadline = time.monotonic() + _SECONDS_MAX
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as asked:
        asked.settimeout(_SECONDS_MAX)
        asked.send(_request())
        while time.monotonic() < deadline:
            data = asked.recv(_DATAGRAM_BYTES_MAX)
            for start, end in netlink.bounds(data):
                kind = int.from_bytes(data[start + 4 : start + 6], sys.byteorder)
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    raise OSError(errno.EIO, "the kernel does not list its TCP sockets")
                message = inet_diag_msg(data[start:end])
                message.decode()
                if message["idiag_dport"] == port:
                    yield message
    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def _request() -> bytes:
    message = inet_diag_req()
    message["sdiag_family"] = socket.AF_INET
    message["sdiag_protocol"] = socket.IPPROTO_TCP
    message["idiag_ext"] = 1 << (_INET_DIAG_INFO - 1)
    message["idiag_states"] = 1 << _ESTABLISHED
    message["header"]["type"] = SOCK_DIAG_BY_FAMILY
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    message.encode()
    return bytes(message.data)
