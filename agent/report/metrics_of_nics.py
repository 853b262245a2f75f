"""The metrics of NICs."""

from __future__ import annotations

from collections.abc import Callable

from agent.model.kernel_log import KERNEL_CLASSES
from agent.model.snapshot import Snapshot
from agent.model.state import HEALTH_STATES, Nic
from agent.report.family import SECOND_NS, Family, Samples

_BITS_PER_BYTE = 8


def of_nics(value: Callable[[Nic], float | None]) -> Callable[[Snapshot], Samples]:
    """A sample per watched NIC, none where the value is unknown."""

    def samples(snapshot: Snapshot) -> Samples:
        for nic in snapshot.state.nics.values():
            found = value(nic)
            if found is not None:
                yield (nic.nic,), found

    return samples


def _nic_health(snapshot: Snapshot) -> Samples:
    for nic in snapshot.state.nics.values():
        if nic.senses.health is not None:
            for state in HEALTH_STATES:
                yield (nic.nic, state), float(nic.senses.health.state == state)


def _kernel_messages(snapshot: Snapshot) -> Samples:
    for nic in snapshot.state.nics.values():
        for message_class in KERNEL_CLASSES:
            yield (nic.nic, message_class), nic.kernel_messages_total.get(message_class, 0)


def _downtime_seconds(snapshot: Snapshot) -> Samples:
    for nic in snapshot.state.nics.values():
        lasting_ns = 0
        if nic.down_since_ns is not None:
            lasting_ns = max(0, snapshot.at.boottime_ns - nic.down_since_ns)
        yield (nic.nic,), (nic.downtime_ns + lasting_ns) / SECOND_NS


def _nic_info(snapshot: Snapshot) -> Samples:
    for nic in snapshot.state.nics.values():
        adapter, link = nic.adapter, nic.link
        if link is not None:
            labels = (nic.nic, link.device, adapter.driver, adapter.vendor_id, adapter.product_id)
            yield (*labels, link.mac), 1


def _usb_speed_bytes(nic: Nic) -> float | None:
    if nic.link is None or not nic.adapter.usb_speed_bits:
        return None
    return nic.adapter.usb_speed_bits / _BITS_PER_BYTE


def _speed_bytes(nic: Nic) -> float | None:
    return None if nic.speed_bits is None else nic.speed_bits / _BITS_PER_BYTE


def _reachable(nic: Nic) -> float | None:
    reachable = nic.senses.reach.reachable
    return None if reachable is None else float(reachable)


def _carrier(nic: Nic) -> float | None:
    return None if nic.link is None else float(nic.link.admin_up and nic.link.carrier)


def _last_change_seconds(nic: Nic) -> float | None:
    changed_ns = nic.last_carrier_change_wall_ns
    return None if changed_ns is None else changed_ns / SECOND_NS


NIC_FAMILIES: tuple[Family, ...] = (
    Family(
        "nic_info",
        "gauge",
        "Always 1 while the NIC is present; what it is, in labels.",
        ("nic", "device", "driver", "vendor_id", "product_id", "mac"),
        _nic_info,
    ),
    Family(
        "nic_present",
        "gauge",
        "1 while the NIC has a network interface, 0 while it is gone.",
        ("nic",),
        of_nics(lambda nic: float(nic.link is not None)),
    ),
    Family(
        "nic_carrier",
        "gauge",
        "1 while the link is up and has a carrier; absent while the NIC is gone.",
        ("nic",),
        of_nics(_carrier),
    ),
    Family(
        "nic_usb_speed_bytes",
        "gauge",
        "Speed of the USB connection in bytes per second; absent while the NIC is gone.",
        ("nic",),
        of_nics(_usb_speed_bytes),
    ),
    Family(
        "nic_speed_bytes",
        "gauge",
        "Speed of the link in bytes per second, read once per carrier; absent where unknown.",
        ("nic",),
        of_nics(_speed_bytes),
    ),
    Family(
        "nic_reachable",
        "gauge",
        "1 while the gateway answers ARP on this NIC, 0 if it used to and does not any more; "
        "absent where unknown: no carrier, no gateway, or one that never answered.",
        ("nic",),
        of_nics(_reachable),
    ),
    Family(
        "nic_health",
        "gauge",
        "1 for the NIC's state, the worst that any check speaks for; absent for a NIC that is not "
        "judged: neither in usb_nic.match nor ever seen with a default route.",
        ("nic", "state"),
        _nic_health,
    ),
    Family(
        "nic_carrier_losses_total",
        "counter",
        "Carrier losses, from the kernel's own count; administrative downs are none.",
        ("nic",),
        of_nics(lambda nic: nic.carrier_losses_total),
    ),
    Family(
        "nic_flaps_total",
        "counter",
        "Carrier losses that were followed by a return.",
        ("nic",),
        of_nics(lambda nic: nic.flaps_total),
    ),
    Family(
        "nic_disconnects_total",
        "counter",
        "Times the NIC's network interface went.",
        ("nic",),
        of_nics(lambda nic: nic.disconnects_total),
    ),
    Family(
        "nic_unobserved_gaps_total",
        "counter",
        "Times the NIC's network interface went while nobody watched.",
        ("nic",),
        of_nics(lambda nic: nic.unobserved_gaps_total),
    ),
    Family(
        "nic_downtime_seconds_total",
        "counter",
        "Time for which the NIC was gone, or set up and without a carrier; between two messages "
        "nobody knows, and adds nothing.",
        ("nic",),
        _downtime_seconds,
    ),
    Family(
        "nic_kernel_messages_total",
        "counter",
        "Messages of the kernel's log about this NIC, by class (docs/kernel-log.md).",
        ("nic", "class"),
        _kernel_messages,
    ),
    Family(
        "nic_last_carrier_change_timestamp_seconds",
        "gauge",
        "When the carrier last changed; absent if it never did while watched.",
        ("nic",),
        of_nics(_last_change_seconds),
    ),
)
