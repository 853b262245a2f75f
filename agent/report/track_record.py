"""What a NIC has to show for a span of time: what came of its totals since, and its incidents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from agent.model.identity import Stamp
from agent.model.incident import Incident, Tally
from agent.model.policy import Policy
from agent.model.state import Nic

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class TrackRecord:
    """One NIC; the counts began at `counted_since_wall_ns`, or when nobody knows (None)."""

    nic: Nic
    expect_speed_bits: int | None
    counted_since_wall_ns: int | None
    carrier_losses: int
    flaps: int
    disconnects: int
    downtime_seconds: float
    kernel: Mapping[str, int]  # messages, by class
    incidents: tuple[Incident, ...]  # kept, the oldest first

    def helped(self, *steps: str) -> int:
        """How often one of these steps was followed by a verified recovery."""
        taken = (step for incident in self.incidents for step in incident.steps)
        return sum(step.outcome == "verified" for step in taken if step.step in steps)

    def outcomes(self) -> Mapping[str, Counter[str]]:
        """By step: how often it was taken or withheld, and what came of it."""
        found: dict[str, Counter[str]] = {}
        for incident in self.incidents:
            for step in incident.steps:
                found.setdefault(step.step, Counter())[step.outcome or "under way"] += 1
        return found


def track_record(nic: Nic, policy: Policy, at: Stamp, since_seconds: int) -> TrackRecord:
    """From the last totals that were noted before the span began, or from the oldest."""
    since_ns = at.wall_ns - since_seconds * _SECOND_NS
    base = _base(nic, since_ns)
    lasting_ns = 0 if nic.down_since_ns is None else max(0, at.boottime_ns - nic.down_since_ns)
    kernel = {
        name: total - base.kernel_messages_total.get(name, 0)
        for name, total in nic.kernel_messages_total.items()
        if total > base.kernel_messages_total.get(name, 0)
    }
    return TrackRecord(
        nic=nic,
        expect_speed_bits=policy.expect_speed_bits,
        counted_since_wall_ns=base.wall_ns or None,
        carrier_losses=nic.carrier_losses_total - base.carrier_losses_total,
        flaps=nic.flaps_total - base.flaps_total,
        disconnects=nic.disconnects_total - base.disconnects_total,
        downtime_seconds=(nic.downtime_ns + lasting_ns - base.downtime_ns) / _SECOND_NS,
        kernel=kernel,
        incidents=tuple(
            incident
            for incident in nic.incidents
            if incident.kept and (incident.closed or at).wall_ns >= since_ns
        ),
    )


def _base(nic: Nic, since_ns: int) -> Tally:
    known_since_ns = nic.known_since.wall_ns if nic.known_since is not None else 0
    beginning = Tally(known_since_ns, 0, 0, 0, 0, {})
    if known_since_ns > since_ns:
        return beginning
    before = [tally for tally in nic.tallies if tally.wall_ns <= since_ns]
    if before:
        return before[-1]
    # Younger than the span, and the NIC is older: what came between them is not told apart.
    return beginning if known_since_ns or not nic.tallies else nic.tallies[0]
