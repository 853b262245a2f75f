"""Events: NICs that come and go, and their carriers."""

from __future__ import annotations

from collections.abc import Mapping

from agent.model import verdicts
from agent.report.event import INFO, NOTICE, WARNING, Event

LINK_EVENTS: Mapping[type, Event] = {
    verdicts.NicFound: Event(
        name="nic_found",
        message_id="344b84be594b4cff86ab9b572b4d0415",
        priority=INFO,
        line="{device} is watched as {nic} ({bus}, {driver}, {vendor_id}:{product_id}, {mac})",
        subject="NIC @NODEMEND_DEVICE@ is watched",
        cause="A USB network adapter was found, or another NIC that carries the default route.",
        done="Its present counters are the baseline; what happens from now on is counted.",
        to_do="Nothing. To give it a name, or to allow repairs, add it to usb_nic.match.",
    ),
    verdicts.NicReturned: Event(
        name="nic_returned",
        message_id="c070c0a7d67f400ca45feb95d09db867",
        priority=NOTICE,
        line="{device} is back on {nic} as interface {ifindex} ({driver})",
        subject="USB NIC @NODEMEND_NIC@ is back",
        cause="The adapter was enumerated anew. The kernel sees a new interface: new ifindex, "
        "counters at zero, and administratively down until somebody sets it up.",
        done="The counts go on where they were.",
        to_do="Check that it has its name and its addresses again "
        "(`ip addr show @NODEMEND_DEVICE@`). If it goes and comes repeatedly, suspect cable, "
        "port, power or heat.",
    ),
    verdicts.NicDisconnected: Event(
        name="nic_disconnected",
        message_id="d1f0e3a3bcc740689de19206585d62f8",
        priority=WARNING,
        line="{device} on {nic} is gone (disconnect number {disconnects_total})",
        subject="USB NIC @NODEMEND_DEVICE@ is gone",
        cause="The kernel removed the interface: the adapter was unplugged, fell off the bus, "
        "was reset into another configuration, or its driver was unbound.",
        done="The disconnect is counted. If this was the node's only link, the node is offline "
        "until the adapter is back.",
        to_do="Read the kernel's lines around this moment (`journalctl -k`): `USB disconnect` "
        "means that the device left the bus; `device descriptor read/64, error` that it does "
        "not come back. Then try another port or cable, and check power.",
    ),
    verdicts.NicGoneUnobserved: Event(
        name="nic_gone_unobserved",
        message_id="1ac397c3965443078daa991791b4c532",
        priority=WARNING,
        line="{device} on {nic} went while nobody watched (disconnect number {disconnects_total}, "
        "gap number {unobserved_gaps_total})",
        subject="USB NIC @NODEMEND_DEVICE@ went while nobody watched",
        cause="The interface that was watched before is not there any more, and its removal was "
        "not seen: the daemon was not running, or messages were lost.",
        done="One disconnect and one gap are counted; there may have been more.",
        to_do="See `journalctl -k` for what happened meanwhile.",
    ),
    verdicts.CarrierLost: Event(
        name="carrier_lost",
        message_id="427d0b7cb2f34262855d952861bd8de0",
        priority=WARNING,
        line="{device} on {nic} lost its carrier {losses} time(s), {carrier_losses_total} in all",
        subject="USB NIC @NODEMEND_DEVICE@ lost its carrier",
        cause="The adapter reports no link: cable, the switch port or the switch itself, the "
        "adapter's Ethernet side, or energy-saving modes (EEE, USB autosuspend).",
        done="Each loss is counted from the kernel's own counter, also those that share one "
        "message. An administrative down is no loss.",
        to_do="One loss while a switch restarts is normal. If it repeats: another cable, another "
        "switch port, EEE off; if the other nodes lost theirs too, look at the switch.",
    ),
    verdicts.CarrierReturned: Event(
        name="carrier_returned",
        message_id="226ceac611ca45d6b57712af7b7ce235",
        priority=NOTICE,
        line="{device} on {nic} has its carrier back ({flaps_total} flaps in all)",
        subject="USB NIC @NODEMEND_DEVICE@ has its carrier back",
        cause="The link is up again after a loss.",
        done="Loss and return together are counted as a flap.",
        to_do="Nothing, unless it repeats: see carrier_lost.",
    ),
    verdicts.NicMoved: Event(
        name="nic_moved",
        message_id="20173d5468c14e7281aea06f59652c96",
        priority=NOTICE,
        line="{nic} ({device}, {mac}) moved from {connector_before} to {connector}; its "
        "history follows",
        subject="USB NIC @NODEMEND_NIC@ is in another plug",
        cause="An adapter with the same permanent MAC was found at another connector, while "
        "the old one is empty.",
        done="Counts and history go on under the new connector.",
        to_do="Nothing, if somebody moved it. If usb_nic.match names the old connector, change"
        " it there.",
    ),
    verdicts.NicReplaced: Event(
        name="nic_replaced",
        message_id="204f4e4867df4fd7b29c9b8cbfd74b73",
        priority=NOTICE,
        line="{nic} ({device}) is another adapter now: MAC {mac_before} before, {mac} now",
        subject="Another adapter is plugged in as @NODEMEND_NIC@",
        cause="The connector is the same, the permanent MAC is another one.",
        done="Counts go on, since the node's link is the same. What was known of the old "
        "adapter (its best USB speed, the kernel's messages) is forgotten.",
        to_do="Nothing, if somebody replaced it. If usb_nic.match names the old MAC, change it"
        " there.",
    ),
    verdicts.NicForgotten: Event(
        name="nic_forgotten",
        message_id="8798aad36ce6420f8ffc4bde845912cd",
        priority=NOTICE,
        line="{nic} is forgotten on request, with its counts",
        subject="NIC @NODEMEND_NIC@ is forgotten",
        cause="Somebody ran `nodemend forget`.",
        done="Its record and its metrics are gone. Should it be plugged in again, it is a new NIC.",
        to_do="Nothing.",
    ),
}
