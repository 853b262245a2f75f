"""Before a step, and after it: the evidence is asked for anew, and what answers is heard.

Whoever answers shows that the NIC lives. What is not known speaks for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.decide import reach
from agent.decide.carrier import carries, is_up
from agent.decide.faults import GATEWAY, PLUG, REGISTERS, WITNESS, Fault
from agent.decide.links import with_nic
from agent.model.facts import Fact, PlugRead, ProbeEnded, ReadFailed, SpeedRead
from agent.model.identity import UsbDevice
from agent.model.outputs import Ask, Probe, ReadPlug, ReadSpeed
from agent.model.policy import Policy
from agent.model.state import Climb, Nic, State

MISSES_MIN = 3


def questions(nic: Nic, fault: Fault, policy: Policy) -> Mapping[str, Ask] | None:
    """What is asked before a step, by what it is about; None where whom to ask is not known."""
    adapter, probe = nic.adapter, _probe(nic, fault, policy)
    witness = reach.witness_of(nic) if fault.witness else None
    if (fault.gateway == "must" and probe is None) or (fault.witness and witness is None):
        return None
    asked = {PLUG: Ask(ReadPlug(adapter.connector, adapter.usb_path, adapter.companion_path))}
    if probe is not None:
        asked[GATEWAY] = Ask(probe)
    if probe is not None and witness is not None:
        asked[WITNESS] = Ask(replace(probe, target=witness))
    return asked


def _probe(nic: Nic, fault: Fault, policy: Policy) -> Probe | None:
    link, uplink, target = nic.link, nic.senses.uplink, reach.target_of(nic, policy)
    if not fault.gateway or link is None or uplink is None or target is None or not is_up(link):
        return None
    return Probe(link.ifindex, uplink.layer3_device, target, policy.probe.timeout_ns)


def answered(state: State, fact: Fact) -> State:
    """What the questions before a step, and after it, came to."""
    for nic in tuple(state.nics.values()):
        climb = nic.climb
        if climb is None or climb.phase not in ("probing", "stepping"):
            continue
        about = nic.link is not None and getattr(fact, "ifindex", None) == nic.link.ifindex
        match fact:
            case PlugRead(connector=connector) if connector == nic.adapter.connector:
                climb = _heard(replace(climb, plug=fact.found), PLUG)
            case ProbeEnded() if about:
                uplink = nic.senses.uplink
                # A k3s server that is the gateway itself is asked as the gateway.
                server = uplink.witness if uplink is not None else None
                is_witness = fact.target == server != nic.gateway_known
                climb = replace(climb, alive=climb.alive or fact.answered)
                # One lost answer is no silence: the rounds of probes go on meanwhile.
                is_silent = nic.senses.reach.misses >= MISSES_MIN
                if is_witness:
                    climb = _heard(climb, WITNESS)
                elif fact.answered or is_silent:
                    climb = _heard(climb, GATEWAY)
            case SpeedRead(speed_bits=speed_bits) if about and speed_bits is not None:
                # r8152 says 10 Mb/s of a link without a carrier, and asks no register for it.
                proved = climb.proved or carries(nic)
                climb = replace(climb, alive=True, proved=proved)
                climb = _heard(climb, REGISTERS)
            case ReadFailed(question=ReadSpeed(ifindex=ifindex), hung=True) if _is_its_link(
                nic, ifindex
            ):
                climb = _heard(climb, REGISTERS)
        if climb != nic.climb:
            state = with_nic(state, replace(nic, climb=climb))
    return state


def _heard(climb: Climb, what: str) -> Climb:
    return replace(climb, awaits=tuple(name for name in climb.awaits if name != what))


def _is_its_link(nic: Nic, ifindex: int) -> bool:
    return nic.link is not None and nic.link.ifindex == ifindex


def is_somebody_elses(nic: Nic, plug: UsbDevice | None) -> bool:
    """Whether what sits in the plug is not to be touched, or not to be understood just now."""
    if plug is None:
        return nic.link is not None  # it has gone meanwhile: the event is under way
    adapter = nic.adapter
    if (plug.vendor_id, plug.product_id) != (adapter.vendor_id, adapter.product_id):
        return True  # a disk, a keyboard, a hub, another adapter: none of our business
    # Its link is about to come; or it has a driver and its link is out of sight: a container's
    # network namespace has it, or a virtual machine.
    return nic.link is None and (plug.has_link or plug.is_bound)
