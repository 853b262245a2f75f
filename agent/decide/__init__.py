"""decide(state, fact, policy) -> (state, outputs): pure and total.

No clock, no I/O, no logging, nothing imported but agent.model: time is a fact, and what is
needed of the world is asked for. `make test` holds this wall (import-linter, test_tidy.py).
"""

from __future__ import annotations

from agent.decide import cni, gpu, nic, permission, service
from agent.decide.decision import Decision
from agent.model.facts import ConfigRead, Fact
from agent.model.policy import Policy
from agent.model.state import State


def decide(state: State, fact: Fact, policy: Policy) -> Decision:
    """Give the fact to each machine: NICs', CNI's, GPUs', then that of the service itself."""
    if isinstance(fact, ConfigRead) and fact.policy is not None:
        policy = fact.policy
    after, about_nics = nic.decide(state, fact, permission.in_force(state, policy))
    after, about_cni = cni.decide(after, fact, permission.in_force(state, policy))
    after, about_gpus = gpu.decide(after, fact, policy)
    after, about_service = service.decide(after, fact, policy)
    return after, (*about_nics, *about_cni, *about_gpus, *about_service)
