"""What a recording holds for people: the kernel's words, the USB tree, the counters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.model.facts import CountersRead, Fact, KernelLogRead, UsbTreeRead
from agent.model.identity import Stamp
from agent.model.usb_tree import UsbNode, UsbPort
from agent.report.when import clock_time

_SECOND_NS = 1_000_000_000
_MEGABIT = 1_000_000
_COUNTERS = (
    *("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors"),
    *("rx_dropped", "tx_dropped", "tx_timeouts", "carrier_changes"),
)


def kernel_lines(facts: Iterable[Fact]) -> Iterator[str]:
    """The kernel's messages about NICs, each once: of a flood the last, with their number."""
    told: set[int] = set()
    for fact in facts:
        if isinstance(fact, KernelLogRead):
            for message in fact.messages:
                if message.sequence in told:
                    continue
                told.add(message.sequence)
                ago_ns = fact.at.boottime_ns - message.boottime_ns
                when = _when(Stamp(message.boottime_ns, fact.at.wall_ns - ago_ns))
                times = f"  ({message.count} times, the last)" if message.count > 1 else ""
                yield f"{when}  {message.message_class:18} {message.text}{times}"


def usb_trees(facts: Iterable[Fact]) -> Iterator[str]:
    """Each reading of the tree, as it was when the incident began and when it was over."""
    told: set[Stamp] = set()
    for fact in facts:
        if isinstance(fact, UsbTreeRead) and fact.at not in told:
            told.add(fact.at)
            yield f"{_when(fact.at)}"
            yield from (f"  {_node(device)}" for device in fact.tree.devices)
            yield from (f"  {_port(port)}" for port in fact.tree.ports)
            if fact.tree.left_out:
                yield f"  and {fact.tree.left_out} more"


def counters(facts: Iterable[Fact]) -> Iterator[str]:
    """A row for each reading, of whichever interface."""
    told: set[tuple[int, int]] = set()
    for fact in facts:
        key = (fact.at.boottime_ns, getattr(fact, "ifindex", 0))
        if isinstance(fact, CountersRead) and key not in told:
            if not told:
                yield f"{'time':19}  ifindex  " + "  ".join(_COUNTERS)
            told.add(key)
            values = (f"{getattr(fact.counters, name):>{len(name)}}" for name in _COUNTERS)
            yield f"{_when(fact.at)}  {fact.ifindex:>7}  " + "  ".join(values)


def _node(device: UsbNode) -> str:
    speed = f"{device.speed_bits / _MEGABIT:g} Mb/s"
    driven = f"driver {', '.join(device.drivers)}" if device.drivers else "no driver"
    links = f", {', '.join(device.links)}" if device.links else ""
    return (
        f"{device.path:8} {device.vendor_id}:{device.product_id} at {speed}, device number "
        f"{device.device_number}, {driven}{links}; authorized {device.authorized or '?'}, "
        f"power/control {device.power_control or '?'}, {device.runtime_status or '?'}"
    )


def _port(port: UsbPort) -> str:
    sits = f"{port.device} is in it" if port.device else "empty"
    peer = f", the same plug as {port.peer}" if port.peer else ""
    state = f", state {port.state}" if port.state else ""
    over = f", over-current {port.over_currents} times" if port.over_currents else ""
    return f"{port.name:14} {sits}{peer}{state}{over}"


def _when(at: Stamp) -> str:
    return clock_time(at.wall_ns / _SECOND_NS)
