"""What people order over the control socket, handed to the loop as facts."""

from __future__ import annotations

from collections.abc import Callable

from agent.model.facts import Fact, ForgetRequested, PauseRequested, ResumeRequested
from agent.observe import clock


class Orders:
    """Called from the control socket's thread."""

    def __init__(self, deliver: Callable[[Fact], None], release_gpu: Callable[[int], None]) -> None:
        """`deliver` must be safe to call from another thread."""
        self._deliver = deliver
        self._release_gpu = release_gpu

    def forget(self, nic: str) -> None:
        """A NIC that is gone for good."""
        self._deliver(ForgetRequested(clock.now(), nic))

    def pause(self, seconds: int, reason: str) -> None:
        """Nothing is done for so long."""
        self._deliver(PauseRequested(clock.now(), seconds, reason))

    def resume(self) -> None:
        """Steps may be taken again."""
        self._deliver(ResumeRequested(clock.now()))

    def release_gpu(self, seconds: int) -> None:
        """Nothing of ours holds the GPU's driver for so long; 0: no longer."""
        self._release_gpu(seconds)
