"""Who took it away decides what is done about it.

    asked --- by its owner, or while no CNI is at work --------------> rightly gone
      |---- by a known interferer (networkd, udev, ...) -----------> due
      |---- by whom cannot be said, and it may be its owner -------> told, and let be
      '---- by somebody else, or the kernel --> owners_turn --------> due, if it is not back then

What is rightly gone is forgotten. What comes and goes with a pod is only due where a known
interferer took it: else it may be the pod that went.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from agent import cni_table
from agent.decide.decision import SECOND_NS
from agent.model.cni import CniGuard, CniRuntime, Loss, Requester
from agent.model.facts_of_cni import RequesterRead

TOPIC = "cni_losses"
OWNERS_TURN_SECONDS = 1
# A younger owner is still setting up what is its: it may take away what its predecessor left.
OWNER_SETTLED_SECONDS = 30
FLUSH_SECONDS = 2  # from the first of the rules that go together to the last
UNHEARD = 2**32 - 1  # no socket's: the message that said whose it was, was lost
PROCESS_NUMBER_MAX = 2**22  # PID_MAX_LIMIT, linux/threads.h; other ports are not given so low
LOSSES_MAX = 4096
UNKNOWN = "unknown"

# By unit, or by process where no unit of the host has that name. "systemd-network" is how the
# kernel cuts off that one's name, 15 characters being all that it keeps (comm).
INTERFERING_UNITS = (
    "systemd-networkd.service",
    "systemd-udevd.service",
    "systemd-sysctl.service",
    "NetworkManager.service",
    "dhcpcd.service",
    "networking.service",
)
INTERFERING_PROCESSES = (
    "systemd-network",
    "systemd-udevd",
    "udev-worker",
    "(udev-worker)",
    "NetworkManager",
    "dhclient",
    "dhcpcd",
    "netplan",
    "networkctl",
)
OWNER_UNITS = (
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
    "kubelet.service",
    "containerd.service",
    "crio.service",
    "k0scontroller.service",
    "k0sworker.service",
)

Judgement: TypeAlias = Literal["owner", "interferer", "somebody", "unsaid"]


def judge(requester: Requester | None, port: int, runtime: CniRuntime) -> tuple[Judgement, str]:
    """What sort of somebody asked for it, and what to call them.

    A socket that is closed again was one of a program that has ended, as `ip`, or of one that opens
    one for each request, as what is written in Go mostly does, Cilium's agent among them. The first
    that is open at a time has the process's number for a port, the others have any.
    """
    if requester is None:
        is_owners = port in runtime.owner_ports or port > PROCESS_NUMBER_MAX
        return ("unsaid" if is_owners else "somebody"), UNKNOWN
    if requester.pod_uid or requester.unit in OWNER_UNITS:
        return "owner", requester.unit or requester.process
    if requester.process in cni_table.OWNERS:
        return "owner", requester.process
    if requester.unit in INTERFERING_UNITS:
        return "interferer", requester.unit
    if requester.process in INTERFERING_PROCESSES:
        return "interferer", requester.process
    return "somebody", requester.process or UNKNOWN


def after_requester(
    guard: CniGuard, fact: RequesterRead
) -> tuple[CniGuard, list[Loss], list[Loss]]:
    """What becomes of all that this port took away: what is due at once, and what is let be.

    Of a link that was changed by nobody that is known, its owner may have done it: nobody can say.
    """
    guard = replace(guard, runtime=fact.runtime)
    judgement, culprit = judge(fact.requester, fact.port, fact.runtime)
    losses, due, left = dict(guard.losses), list[Loss](), list[Loss]()
    for payload, loss in guard.losses.items():
        if loss.phase == "looking":
            del losses[payload]
            due += [loss] if fact.runtime.is_active else []
            continue
        if loss.phase != "asked" or loss.port != fact.port:
            continue
        named = replace(loss, culprit=culprit)
        if judgement == "owner" or not fact.runtime.is_active:
            del losses[payload]
        elif judgement == "interferer":
            del losses[payload]
            due.append(named)
        elif loss.standing.entry.device or (judgement == "unsaid" and not _is_flush(loss, guard)):
            del losses[payload]
            left.append(named)
        elif _owner_is_settled(loss, fact.runtime) and not _of_a_pod(loss, guard):
            due_ns = loss.lost_ns + OWNERS_TURN_SECONDS * SECOND_NS
            losses[payload] = replace(named, phase="owners_turn", due_ns=due_ns)
        else:
            del losses[payload]
    return replace(guard, losses=losses), due, left


def after_no_answer(guard: CniGuard, port: int) -> tuple[CniGuard, list[Loss]]:
    """Nobody can say who it was, or whether a CNI is at work: what is let be for that."""
    left = [
        loss
        for loss in guard.losses.values()
        if loss.phase == "looking" or (loss.phase == "asked" and loss.port == port)
    ]
    gone = {loss.standing.entry.payload for loss in left}
    losses = {payload: loss for payload, loss in guard.losses.items() if payload not in gone}
    return replace(guard, losses=losses), left


def after_wake(guard: CniGuard, at_ns: int) -> tuple[CniGuard, list[Loss], bool]:
    """Those whose owner has had its turn are due; the others are looked into first."""
    losses, due, looking = dict(guard.losses), list[Loss](), False
    for payload, loss in guard.losses.items():
        if loss.phase == "owners_turn" and loss.due_ns <= at_ns:
            del losses[payload]
            due.append(loss)
        if loss.phase in ("resting", "wayless") and loss.due_ns <= at_ns:
            has_rested = loss.phase == "resting"
            losses[payload] = replace(loss, phase="looking", rested=has_rested)
            looking = True
    return replace(guard, losses=losses), due, looking


def next_due_ns(guard: CniGuard) -> int | None:
    """When something is due by itself."""
    timed = ("owners_turn", "resting", "wayless")
    return min((loss.due_ns for loss in guard.losses.values() if loss.phase in timed), default=None)


def _is_flush(loss: Loss, guard: CniGuard) -> bool:
    """Whether it is one of the rules that go by `ip rule flush`, which asks by a socket for each.

    No CNI takes the last rule that looks up `local`, `main` or `default`: the host would be lost.
    Who takes that takes, within the same moment and by such sockets, the others as well.
    """
    if loss.standing.entry.kind != "rule" or loss.cni == cni_table.HOST:
        return loss.cni == cni_table.HOST and not _has_another(loss, guard)
    lost = [*guard.losses.values(), *guard.in_flight.values()]
    return loss.port != UNHEARD and any(
        other.cni == cni_table.HOST
        and PROCESS_NUMBER_MAX < other.port < UNHEARD
        and abs(other.lost_ns - loss.lost_ns) <= FLUSH_SECONDS * SECOND_NS
        and not _has_another(other, guard)
        for other in lost
    )


def _has_another(lost: Loss, guard: CniGuard) -> bool:
    """Whether another rule that stands looks up the same table."""
    entry = lost.standing.entry
    return any(
        standing.entry.kind == "rule"
        and standing.entry.looks_up
        and (standing.entry.family, standing.entry.table) == (entry.family, entry.table)
        for standing in guard.standing.values()
    )


def _owner_is_settled(loss: Loss, runtime: CniRuntime) -> bool:
    owners = cni_table.owners_of(loss.cni)
    ages = [runtime.owner_seconds[owner] for owner in owners if owner in runtime.owner_seconds]
    return any(age >= OWNER_SETTLED_SECONDS for age in ages)


def _of_a_pod(loss: Loss, guard: CniGuard) -> bool:
    return cni_table.of_a_pod(loss.standing.entry, guard.links)
