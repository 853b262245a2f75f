"""What hosts do to a CNI's network: the table of test_cni.py and of docs/cni-guard-seen.md."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tests.e2e.uplink import DEVICE

NETWORKD, UDEV = "systemd-networkd.service", "systemd-udevd.service"
_BROAD = "/run/systemd/network/99-broad.network"
_LINK = "/run/systemd/network/00-broad.link"
_SYSCTL = "/run/sysctl.d/99-x.conf"
_BRIDGE = "/run/systemd/network/50-br9"
_DROP_IN = "/run/systemd/network/20-usb.network.d"
# As when a link is new: then, and only then, udev applies .link files and the sysctl.d files.
_ADDED = "udevadm control --reload; udevadm trigger --settle -c add /sys/class/net/cilium_host"


def _write(path: str, *lines: str) -> str:
    words = " ".join(shlex.quote(line) for line in lines)
    return f"mkdir -p $(dirname {path}); printf '%s\\n' {words} > {path}"


_NO_LLMNR = _write(f"{_DROP_IN}/x.conf", "[Network]", "LLMNR=no")
_ANOTHER_MTU = _write(_BROAD, "[Match]", "Name=cilium_host", "[Link]", "MTUBytes=1400")
_ANOTHER_MAC = _write(
    _LINK, "[Match]", "OriginalName=cilium_*", "[Link]", "MACAddress=02:00:00:00:0f:0f"
)
_ANOTHER_NAME = _write(_LINK, "[Match]", "OriginalName=cilium_host", "[Link]", "Name=taken0")
_RP_FILTER = _write(_SYSCTL, "net.ipv4.conf.*.rp_filter = 2")
_INTO_A_BRIDGE = "; ".join(
    (
        _write(f"{_BRIDGE}.netdev", "[NetDev]", "Name=br9", "Kind=bridge"),
        _write(f"{_BRIDGE}.network", "[Match]", "Name=cilium_host", "[Network]", "Bridge=br9"),
    )
)


@dataclass(frozen=True)
class Event:
    """Something that happens on the host, as a shell command, and what is to be seen of it."""

    what: str
    command: str
    lost: frozenset[str]  # kinds of what must be told as taken away; others may be
    culprit: str
    after: str = "true"  # takes the command back, once all is whole again
    releases: tuple[str, ...] = ("bookworm", "trixie")


EVENTS: tuple[Event, ...] = (
    Event(
        "systemd-networkd is restarted",
        "systemctl restart systemd-networkd",
        frozenset({"rule", "route"}),
        NETWORKD,
    ),
    Event(
        "the uplink's .network file changed, `networkctl reload`",
        f"{_NO_LLMNR}; networkctl reload",
        frozenset({"rule"}),
        NETWORKD,
        f"rm -rf {_DROP_IN}; networkctl reload",
    ),
    Event(
        "`networkctl reconfigure` of the uplink",
        f"networkctl reconfigure {DEVICE}",
        frozenset({"rule"}),
        NETWORKD,
    ),
    Event(
        "the uplink is without a carrier for 8 s",
        "nic link_down; sleep 8; nic link_up",
        frozenset({"route"}),
        NETWORKD,
    ),
    Event(
        "the uplink is set down and up by hand",
        f"ip link set {DEVICE} down; ip link set {DEVICE} up",
        frozenset({"route"}),
        "",
    ),
    Event(
        "an uplink with an address by DHCP is without a carrier for 8 s",
        "ip link set up1 down; sleep 8; ip link set up1 up",
        frozenset({"route"}),
        NETWORKD,
    ),
    Event("`ip rule flush` by hand", "ip rule flush", frozenset({"rule"}), "unknown"),
    Event(
        "a .network file that matches broadly, with another MTU",
        f"{_ANOTHER_MTU}; networkctl reload",
        frozenset({"mtu"}),
        NETWORKD,
        f"rm -f {_BROAD}; networkctl reload",
    ),
    Event(
        "a .link file that matches broadly gives another MAC",
        f"{_ANOTHER_MAC}; {_ADDED}",
        frozenset({"mac"}),
        UDEV,
        f"rm -f {_LINK}; udevadm control --reload",
    ),
    Event(
        "a .link file that matches broadly gives another name",
        f"{_ANOTHER_NAME}; {_ADDED}",
        frozenset({"name"}),
        UDEV,
        f"rm -f {_LINK}; udevadm control --reload; ip link set taken0 name cilium_host || true",
        releases=("trixie",),  # before Linux 6.2 no link that is up can be renamed
    ),
    Event(
        "a .network file takes a link into a bridge",
        f"{_INTO_A_BRIDGE}; networkctl reload",
        frozenset({"master"}),
        NETWORKD,
        f"rm -f {_BRIDGE}.*; networkctl reload; ip link del br9",
    ),
    Event(
        "a sysctl.d file sets rp_filter of new links",
        f"{_RP_FILTER}; {_ADDED}",
        frozenset({"sysctl"}),
        UDEV,
        f"rm -f {_SYSCTL}",
    ),
)
