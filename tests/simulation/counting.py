"""The world's own count of losses, flaps and disconnects, and how far decide's may differ from it.

What happens between a step's beginning and its verdict is not counted, whoever caused it; what a
step causes is not counted at all. Around the borders either is right: news take a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.decide.own_doing import is_own_doing
from agent.model.state import Nic, State
from tests.builders import SECOND_NS
from tests.simulation.hardware import Hardware
from tests.simulation.kernel import Cause, Happened, Kernel

BORDER_NS = int(1.6 * SECOND_NS)
_COUNTED: dict[Happened, Callable[[Nic], int]] = {
    "loss": lambda nic: nic.carrier_losses_total,
    "flap": lambda nic: nic.flaps_total,
    "disconnect": lambda nic: nic.disconnects_total,
}


@dataclass(frozen=True)
class _Event:
    at_ns: int
    what: Happened
    cause: Cause
    known: bool  # the netdev was, by then; not still read about
    since_ns: int  # of a flap: when the carrier was lost


@dataclass
class _Truth:
    happened: list[_Event] = field(default_factory=list)
    lost_ns: int = 0
    stepping: list[tuple[int, int]] = field(default_factory=list)
    began_ns: int | None = None

    def is_certain(self, event: _Event) -> bool:
        """Far from every step, and not overtaken by what ends the netdev or sets it down."""
        times = (event.at_ns, event.since_ns)
        if any(b - BORDER_NS <= t <= e + BORDER_NS for t in times for b, e in self.stepping):
            return False
        if event.what == "disconnect":
            return True
        ends = [e.at_ns for e in self.happened if e.what in ("disconnect", "switched")]
        return not any(event.since_ns <= end <= event.at_ns + BORDER_NS for end in ends)


class Counting:
    """Exact while no event is lost, nobody is killed and the machine is not rebooted."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.exact, self._state = True, State()
        self._truths = {connector: _Truth() for connector in kernel.nics}
        kernel.happened = self._happened

    def begin(self) -> None:
        """The NICs are watched from now on; what was before is nobody's."""
        for truth in self._truths.values():
            truth.happened.clear()

    def _happened(self, nic: Hardware, what: Happened, cause: Cause) -> None:
        truth = self._truths[nic.connector]
        known = self._state.nics.get(nic.connector)
        link = known.link if known is not None else None
        is_known = link is not None and link.ifindex == nic.ifindex
        now_ns = self._kernel.timeline.now_ns
        since_ns = truth.lost_ns if what == "flap" else now_ns
        truth.happened.append(_Event(now_ns, what, cause, is_known, since_ns))
        if what == "loss":
            truth.lost_ns = now_ns

    def decided(self, state: State) -> None:
        now_ns = self._kernel.timeline.now_ns
        self._state = state
        for connector, truth in self._truths.items():
            nic = state.nics.get(connector)
            ours = nic is not None and is_own_doing(nic)
            if ours and truth.began_ns is None:
                truth.began_ns = now_ns
            elif not ours and truth.began_ns is not None:
                truth.stepping.append((truth.began_ns, now_ns))
                truth.began_ns = None

    def differences(self, state: State) -> list[str]:
        """Where decide counted less than was certain, or more than there was."""
        if not self.exact:
            return []
        found = []
        for connector, truth in self._truths.items():
            nic = state.nics.get(connector)
            if nic is None:
                continue
            for what, counted in _COUNTED.items():
                faults = [e for e in truth.happened if e.what == what and e.cause == "fault"]
                certain = [e for e in faults if e.known and truth.is_certain(e)]
                least, most = len(certain), len(faults)
                if not least <= counted(nic) <= most:
                    words = f"{counted(nic)} counted, {least} to {most} happened"
                    found.append(f"{connector}: {what}: {words}")
        return found
