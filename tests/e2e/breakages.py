"""Ways in which a NIC breaks, each with what brings it back: a table.

`break_it` breaks the emulated adapter, and waits where the story has a middle: for the driver to
give up, or for the switch that comes back only after the first step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tests.e2e.uplink import DEVICE, FILL_THE_QUEUE, SYSFS, Uplink
from tests.lab.rtl8156.client import Rtl8156

BreakIt: TypeAlias = Callable[[Uplink, Rtl8156], None]
NETWORK = "/etc/systemd/network/20-usb.network"
# The image's own file knows the adapter by its driver; this one, as most nodes have it, by name.
NETWORK_BY_NAME = """\
[Match]
Name=enx*

[Network]
Address=192.168.77.2/24
Gateway=192.168.77.1
LinkLocalAddressing=no
"""


@dataclass(frozen=True)
class Breakage:
    """One story of a NIC that breaks and comes back."""

    what: str
    break_it: BreakIt
    steps: tuple[str, ...]  # that are taken, in their order
    spared: str  # those that are rightly not, and why
    keeps_ifindex: bool = False
    remediation: str = ""  # keys of usb_nic.remediation, where the story would last for minutes
    # Of the first release: its networkd takes the carrier that a link shows for a moment when it is
    # set up for one, fails to set the route, and leaves it so (decide/faults.py, unconfigured).
    steps_where_networkd_gives_up: tuple[str, ...] = ()

    def is_told_by(self, steps: list[str]) -> bool:
        """Whether this is how the story goes."""
        return tuple(steps) in (self.steps, (*self.steps, *self.steps_where_networkd_gives_up))


def wedge(uplink: Uplink, adapter: Rtl8156) -> None:
    """The driver gives up on a device that answers again: it stays dead all the same (F2)."""
    since = uplink.machine.run("date +%s.%N").stdout.strip()
    adapter.fault("ctl_fail")
    uplink.machine.run(f"cat {SYSFS}/speed || true", timeout_seconds=120)
    uplink.machine.wait_until(f"journalctl -k -o cat --since=@{since} | grep 'giving up'")
    adapter.fault("ctl_ok")


def _deaf_while_the_switch_restarts(uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("intr_dead")
    adapter.link_down()
    uplink.wait_until_told("step_began", "link_bounce")
    # Not while it is on its way up: its carrier would come twice, over which networkd 252 may give
    # up on the link. That is another story.
    uplink.machine.wait_until(f"grep -qx 0 {SYSFS}/carrier")
    adapter.link_up()


def _stalled_until(cure: str) -> BreakIt:
    def stall(uplink: Uplink, adapter: Rtl8156) -> None:
        adapter.fault("cured_by", cure)
        adapter.fault("tx_stall")
        uplink.machine.run(FILL_THE_QUEUE)

    return stall


def _gone_for_a_moment(_uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.replug(SYSFS)


def _gone_until_the_plug_is_off(uplink: Uplink, adapter: Rtl8156) -> None:
    port = uplink.port()
    adapter.unplug()
    uplink.machine.wait_until(f"grep -qx 1 {port}/disable")
    adapter.plug()


def _hung_phy(_uplink: Uplink, adapter: Rtl8156) -> None:
    adapter.fault("cured_by", "reset")
    adapter.link_down()


def _authorised_anew(uplink: Uplink, _adapter: Rtl8156) -> None:
    """As an old kernel leaves it (F10): in the configuration of the generic driver."""
    usb = uplink.usb()
    choose = f"echo 2 > {usb}/bConfigurationValue || true"
    uplink.machine.run(f"echo 0 > {usb}/authorized; echo 1 > {usb}/authorized; {choose}")


def _driver_taken_away(uplink: Uplink, _adapter: Rtl8156) -> None:
    interface = f"$(basename $(realpath {SYSFS}/device))"
    uplink.machine.run(f"echo {interface} > /sys/bus/usb/drivers/r8152/unbind")


def lose_name(uplink: Uplink, _adapter: Rtl8156) -> None:
    """With a configuration that goes by the name; networkd may set it up before the renaming."""
    uplink.machine.write(NETWORK, NETWORK_BY_NAME)
    uplink.machine.run(
        f"networkctl reload; until ip link set {DEVICE} down && ip link set {DEVICE} name eth0; "
        "do sleep 0.1; done; ip link set eth0 up"
    )


def lose_addresses(uplink: Uplink, _adapter: Rtl8156) -> None:
    uplink.machine.run(f"ip address flush dev {DEVICE}")


def lose_default_route(uplink: Uplink, _adapter: Rtl8156) -> None:
    uplink.machine.run(f"ip route del default dev {DEVICE}")


def _plug_switched_off(uplink: Uplink, _adapter: Rtl8156) -> None:
    uplink.machine.run(f"echo 1 > {uplink.port()}/disable")


BREAKAGES: tuple[Breakage, ...] = (
    Breakage(
        "wedge: the driver gives up after three resets, the carrier stays",
        wedge,
        ("usb_reset",),
        "`link_bounce`: it takes the carrier from such a driver and gives nothing back",
        keeps_ifindex=True,
    ),
    Breakage(
        "dead interrupt endpoint: the carrier lies while the switch restarts",
        _deaf_while_the_switch_restarts,
        ("link_bounce",),
        "all that is stronger: the bounce submits the interrupt transfer anew",
        keeps_ifindex=True,
        steps_where_networkd_gives_up=("renew_addresses",),
    ),
    Breakage(
        "TX stall that the driver's own reset ends",
        _stalled_until("reset"),
        (),
        "all: before a step the gateway is asked, and answers",
        keeps_ifindex=True,
    ),
    Breakage(
        "TX stall that outlives every reset, until its configuration is chosen anew (without "
        "`driver_rebind`, which would take 45 s to show that it does not help)",
        _stalled_until("configuration"),
        ("usb_reset", "usb_config_cycle"),
        "`link_bounce`: a queue that hangs is not the link's",
        remediation="steps: [usb_reset, usb_config_cycle]",
    ),
    Breakage(
        "gone, and back by itself at once",
        _gone_for_a_moment,
        (),
        "all: what falls off the bus is mostly back within seconds",
    ),
    Breakage(
        "gone, and back while its plug is off",
        _gone_until_the_plug_is_off,
        ("port_power",),
        "all others: there is no device to take them",
    ),
    Breakage(
        "no carrier until the adapter is reset: a hung PHY (`down_grace: 10s`, not 3 minutes)",
        _hung_phy,
        ("link_bounce", "usb_reset"),
        "all that is stronger: mostly it is the cable or the switch",
        keeps_ifindex=True,
        steps_where_networkd_gives_up=("renew_addresses",),
        remediation="down_grace: 10s",
    ),
    Breakage(
        "cdc_ncm after re-authorisation",
        _authorised_anew,
        ("usb_config_cycle",),
        "`usb_reset`, `driver_rebind`: neither would choose another configuration",
    ),
    Breakage(
        "the driver was taken away",
        _driver_taken_away,
        ("driver_rebind",),
        "`usb_reset`: there is no link, and all that is stronger",
    ),
    Breakage(
        "lost name: back as eth0",
        lose_name,
        ("restore_name",),
        "all others: the device is well",
        keeps_ifindex=True,
    ),
    Breakage(
        "its addresses are gone",
        lose_addresses,
        ("renew_addresses",),
        "all others: the link is well",
        keeps_ifindex=True,
    ),
    Breakage(
        "the default route by it is gone",
        lose_default_route,
        ("renew_addresses",),
        "all others: the link is well",
        keeps_ifindex=True,
    ),
    Breakage(
        "port powered off by hand",
        _plug_switched_off,
        ("port_power",),
        "all others: there is no device to take them",
    ),
)
