"""What shows that a step has helped: carrier and gateway, a register, the route that was there."""

from __future__ import annotations

from dataclasses import replace

from agent.decide.carrier import carries
from agent.decide.decision import SECOND_NS, NicDecision
from agent.decide.faults import fault_of
from agent.model.identity import Stamp
from agent.model.outputs import Ask, ReadUplinks
from agent.model.policy import Policy
from agent.model.state import Climb, Nic, StepInProgress


def is_well(nic: Nic, policy: Policy) -> bool:
    """A carrier, and no fault."""
    return carries(nic) and fault_of(nic, policy) is None


def is_shown(nic: Nic, climb: Climb) -> bool:
    """A link that came up has no speed yet, which is no proof that it is fast enough."""
    return climb.fault != "slow_link" or nic.speed_bits is not None


def is_answered(nic: Nic, step: StepInProgress) -> bool:
    """Since the step: the gateway, where one is known; else the device itself."""
    if not nic.gateway_known:
        return nic.climb is not None and nic.climb.proved
    answered_ns = nic.senses.reach.answered_ns
    return answered_ns is not None and answered_ns > (step.ended_ns or 0)


def is_routed(nic: Nic, step: StepInProgress) -> bool:
    """Since the step: that a gateway answers ARP does not say that the node's route is back."""
    uplink, read_ns = nic.senses.uplink, nic.senses.uplink_ns or 0
    is_back = uplink is not None and uplink.gateway is not None and read_ns > (step.ended_ns or 0)
    return is_back or not nic.routed


def lack_in_words(nic: Nic) -> str:
    """What is not seen yet of a link that is well."""
    if nic.senses.unaddressed_since_ns is not None:
        return "it has no address yet"
    if nic.senses.unrouted_since_ns is not None:
        return "the default route by it is not back"
    return f"{nic.gateway_known} does not answer"


def ask_for_routes(nic: Nic, step: StepInProgress, at: Stamp) -> NicDecision:
    if at.boottime_ns - step.routes_asked_ns < SECOND_NS:
        return nic, ()
    asked = replace(step, routes_asked_ns=at.boottime_ns)
    return replace(nic, step=asked), (Ask(ReadUplinks()),)
