"""The kernel's messages, each given to the NIC that it is about, and counted once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.decide.decision import Decision
from agent.decide.links import with_nic
from agent.model.facts import KernelLogRead
from agent.model.kernel_log import KernelClass, KernelMessage, KernelSeen
from agent.model.outputs import Ask, FollowKernelLog, Output, ReadCounters, Tell
from agent.model.state import Nic, State
from agent.model.verdicts import KernelLogOverrun


def follow(state: State) -> Ask:
    """From where the last daemon of this boot ended; else all that the kernel still has."""
    return Ask(FollowKernelLog(state.kernel_log_sequence))


def apply(state: State, fact: KernelLogRead) -> Decision:
    """Count the messages, and look at the counters where one says that transmitting hangs."""
    outputs: list[Output] = []
    if fact.lost:
        outputs.append(Tell(KernelLogOverrun(fact.lost)))
    state = replace(state, kernel_log_sequence=fact.last_sequence, kernel_log_heard=True)
    for message in fact.messages:
        for nic in tuple(state.nics.values()):
            if _is_about(message, nic):
                state = with_nic(state, _heard(nic, message))
                if message.message_class == "tx_timeout" and nic.link is not None:
                    outputs.append(Ask(ReadCounters(nic.link.ifindex, nic.link.device)))
    return state, tuple(outputs)


def came_last(nic: Nic, wanted: KernelClass, *unless: KernelClass) -> KernelSeen | None:
    """The latest message of a class, if none of the others came after it."""
    seen = nic.kernel_seen.get(wanted)
    if seen is None:
        return None
    later: Iterable[KernelSeen | None] = (nic.kernel_seen.get(other) for other in unless)
    return None if any(o is not None and o.sequence > seen.sequence for o in later) else seen


def _is_about(message: KernelMessage, nic: Nic) -> bool:
    kind, _, name = message.subject.partition(":")
    if kind == "usb":
        return name in (nic.adapter.usb_path, nic.adapter.companion_path) and name != ""
    if kind == "pci":  # the controller dies with all its devices
        return nic.adapter.connector.startswith(f"pci-{name}-usb-")
    return nic.link is not None and nic.link.device == name


def _heard(nic: Nic, message: KernelMessage) -> Nic:
    name = message.message_class
    total = nic.kernel_messages_total.get(name, 0) + message.count
    seen = KernelSeen(message.sequence, message.boottime_ns, message.text)
    return replace(
        nic,
        kernel_messages_total={**nic.kernel_messages_total, name: total},
        kernel_seen={**nic.kernel_seen, name: seen},
    )
