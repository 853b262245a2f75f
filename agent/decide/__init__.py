"""decide(state, fact, policy) -> (state, outputs): pure and total.

No clock, no I/O, no logging, nothing imported but agent.model: time is a fact, and what is
needed of the world is asked for. `make test` holds this wall (import-linter, test_tidy.py).
"""

from __future__ import annotations

from agent.decide import nic
from agent.decide.decision import Decision
from agent.model.facts import Fact
from agent.model.policy import Policy
from agent.model.state import State


def decide(state: State, fact: Fact, policy: Policy) -> Decision:
    """Give the fact to each machine that it concerns; today there is one, `nic`."""
    return nic.decide(state, fact, policy)
