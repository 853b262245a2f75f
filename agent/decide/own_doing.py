"""What a step does to a NIC on its way is nobody's fault, and is not counted as one."""

from __future__ import annotations

from agent.model.state import Nic


def is_own_doing(nic: Nic) -> bool:
    """From the step's start to its verdict."""
    return nic.climb is not None and nic.climb.phase == "stepping"
