"""Events: how a NIC fares."""

from __future__ import annotations

from collections.abc import Mapping

from agent.model import verdicts
from agent.report.event import ERROR, NOTICE, WARNING, Event

# What follows on a fault is told by other events, whichever it is.
_STEPS = (
    "In mode remediate, where usb_nic.match names the NIC, what lasts earns steps: `step_began` "
    "tells of each, `step_blocked` why none is taken. In mode observe `step_withheld` says what "
    "would have been done. docs/remediation.md has the table."
)

HEALTH_EVENTS: Mapping[type, Event] = {
    verdicts.NicUnreachable: Event(
        name="nic_unreachable",
        message_id="96680855a6ba43349a34f69299114afc",
        priority=WARNING,
        line="{target} does not answer on {device} ({nic}) any more: {misses} probes in a row,"
        " and {arriving} arrived meanwhile",
        subject="The gateway does not answer on @NODEMEND_DEVICE@",
        cause="The gateway answered ARP on this NIC before, and does not now. A router that "
        "restarts, a switch or a cable beyond the first switch look the same as a NIC "
        "that is wedged.",
        done="Nothing: silence alone is the weakest evidence. The NIC's health does not "
        "change, unless nothing at all arrives for a minute.",
        to_do="See whether other nodes lost the gateway at the same time: then it is the "
        "router or the switch. If only this one did, read the kernel's lines about the "
        "adapter (`journalctl -k`).",
    ),
    verdicts.NicReachable: Event(
        name="nic_reachable",
        message_id="95430113e98c4d6b8aec32387c8bbccf",
        priority=NOTICE,
        line="{target} answers on {device} ({nic}) again",
        subject="The gateway answers on @NODEMEND_DEVICE@ again",
        cause="A probe was answered after a silence.",
        done="Nothing more is needed.",
        to_do="Nothing, unless it repeats.",
    ),
    verdicts.NicGone: Event(
        name="nic_gone",
        message_id="5bd2f740e5344e599e0c75677c7f72a5",
        priority=ERROR,
        line="{nic} is GONE, was {before}: {evidence}",
        subject="NIC @NODEMEND_NIC@ is gone",
        cause="There is no network interface at its connector: unplugged, fallen off the bus, "
        "not enumerated, without a driver, or its controller died. The evidence quotes "
        "what the kernel said last.",
        done="It stays known, also over restarts, until it is back or forgotten.",
        to_do="`Cannot enable` or `device descriptor read/64`: another port or cable, power, "
        "heat. `HC died`: the whole controller is gone, see its other devices. Removed "
        "for good: `nodemend forget @NODEMEND_NIC@`.",
    ),
    verdicts.NicDisabled: Event(
        name="nic_disabled",
        message_id="e2289da5787047c59dc16568e13c1867",
        priority=NOTICE,
        line="{device} ({nic}) is DISABLED, was {before}: {evidence}",
        subject="NIC @NODEMEND_DEVICE@ is administratively down",
        cause="Somebody set it down, or it was enumerated anew and nobody set it up: a new "
        "interface begins administratively down.",
        done="Nothing: what an administrator does is no fault.",
        to_do="If nobody meant it: does the network configuration still match it (`networkctl "
        "status @NODEMEND_DEVICE@`)? A NIC that lost its name or MAC is matched by "
        "neither.",
    ),
    verdicts.NicDown: Event(
        name="nic_down",
        message_id="55ccbcab1bf8440daf0425e8201cf2c3",
        priority=WARNING,
        line="{device} ({nic}) is DOWN, was {before}: {evidence}",
        subject="NIC @NODEMEND_DEVICE@ has no carrier",
        cause="The interface is set up, and the adapter reports no link: cable, switch port, "
        "switch, or the adapter's Ethernet side.",
        done="The time without carrier is counted (nodemend_nic_downtime_seconds_total).",
        to_do="Look at the lamps at both ends. Another cable, another switch port; then replug"
        " the adapter.",
    ),
    verdicts.NicWedged: Event(
        name="nic_wedged",
        message_id="822e86010ee6418bb4acee2e152ddc72",
        priority=ERROR,
        line="{device} ({nic}) is WEDGED, was {before}: {evidence}",
        subject="NIC @NODEMEND_DEVICE@ says it has a carrier, and nothing passes",
        cause="The driver gave up on the adapter; the kernel's transmit watchdog fires; the "
        "gateway that used to answer is silent while not one packet arrives; its address, or the "
        "node's default route by it, is gone; or networkd gave up on the link. The evidence says "
        "which.",
        done=_STEPS,
        to_do="`nodemend status` names the next thing to do by hand, for this evidence. Where the "
        "driver gave up, do not set the interface down and up: it makes this worse. Reset the "
        "device (`usbreset`), or unplug it for 15 seconds. Without an address or a route: "
        "`networkctl reconfigure @NODEMEND_DEVICE@`.",
    ),
    verdicts.NicFlapping: Event(
        name="nic_flapping",
        message_id="ed4c9f30a37143f08dba4c5b8e53dac6",
        priority=WARNING,
        line="{device} ({nic}) is FLAPPING, was {before}: {evidence}",
        subject="NIC @NODEMEND_DEVICE@ loses its carrier again and again",
        cause="More losses and returns within the window than usb_nic.flapping allows.",
        done="Each one is counted.",
        to_do="Another cable (Cat 6a), another switch port, EEE off (`ethtool --set-eee "
        "@NODEMEND_DEVICE@ eee off`), or a limit to 1 Gb/s (`ethtool -s "
        "@NODEMEND_DEVICE@ advertise 0x02f`).",
    ),
    verdicts.NicDegraded: Event(
        name="nic_degraded",
        message_id="227ea7639a12480da7aa9929bb3b2c42",
        priority=WARNING,
        line="{device} ({nic}) is DEGRADED, was {before}: {evidence}",
        subject="NIC @NODEMEND_DEVICE@ works, below what it should",
        cause="The evidence says in what: link speed, USB 2 instead of USB 3, the generic "
        "driver, a made-up MAC, errors, control transfers that fail, or a driver that "
        "hears no more of link changes.",
        done=f"{_STEPS} A made-up MAC and errors earn none.",
        to_do="USB 2: reseat the plug, use another port or cable. Slow link: cable pairs, the "
        "partner's port. cdc_ncm: `echo 1 > bConfigurationValue` of the device. Errors: "
        "cable, port, power. Failing control transfers: expect it to wedge.",
    ),
    verdicts.NicHealthy: Event(
        name="nic_healthy",
        message_id="fc8476a611344113b59667e99acf97b5",
        priority=NOTICE,
        line="{device} ({nic}) is healthy, was {before}",
        subject="NIC @NODEMEND_DEVICE@ is healthy",
        cause="No check speaks against it (any more).",
        done="Nothing more is needed.",
        to_do="Nothing.",
    ),
}
