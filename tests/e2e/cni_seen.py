"""docs/cni-guard-seen.md: what each event took away, who it was, how soon it was back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.e2e.cni_events import EVENTS
from tests.e2e.cni_pods import PINGS_A_SECOND, WINDOW_SECONDS
from tests.e2e.service import Daemon
from tests.lab import images

PAGE = images.CHECKOUT / "docs/cni-guard-seen.md"
_HEAD = """\
# What hosts do to a CNI's network, as seen in the lab

Written by `make lab-full` (tests/e2e/test_cni.py) on the kernels, systemd-networkd and
systemd-udevd of Debian 12 (systemd 252) and Debian 13 (systemd 257), in software emulation on one
processor, where all takes some thirty times as long as on a real one. The state is that of Cilium
(rules of protocol unspec and kernel, `lookup local` moved to 100), flannel host-gw and Calico, on
an uplink with a static address, and another one with an address by DHCP. What each event took
away, who it was, and after how long the last of it was back. And of the {pings} pings that a pod
sends to a pod of another node in {window} s, from just before the event on: how many were lost
without the guard, and how many with it.

| event | release | taken away | by | back after | lost without | lost with it |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Seen:
    """What was told of one event."""

    taken: tuple[tuple[str, int], ...]  # kind, how many
    culprits: tuple[str, ...]
    milliseconds: int  # until the last of it was back
    lost_unguarded: int  # pings
    lost_guarded: int

    @classmethod
    def of(cls, daemon: Daemon, lost_unguarded: int, lost_guarded: int) -> Seen:
        """By the product's own journal."""
        told, back = daemon.events("cni_interference"), daemon.events("cni_restored")
        counts: dict[str, int] = {}
        for entry in told:
            kind = entry["NODEMEND_KIND"]
            counts[kind] = counts.get(kind, 0) + int(entry["NODEMEND_COUNT"])
        culprits = sorted({entry["NODEMEND_CULPRIT"] for entry in told})
        last = max((int(entry["NODEMEND_MILLISECONDS"]) for entry in back), default=0)
        lost = (lost_unguarded, lost_guarded)
        return cls(tuple(sorted(counts.items())), tuple(culprits), last, *lost)


def as_markdown(seen: Mapping[tuple[str, str], Seen]) -> str | None:
    """The page; None where not all events were seen on all releases."""
    rows = []
    for event in EVENTS:
        for release in event.releases:
            found = seen.get((event.what, release))
            if found is None:
                return None
            taken = ", ".join(f"{count} {kind}" for kind, count in found.taken)
            by = ", ".join(found.culprits)
            lost = (str(found.lost_unguarded), str(found.lost_guarded))
            row = (event.what, release, taken, by, f"{found.milliseconds} ms", *lost)
            rows.append(f"| {' | '.join(row)} |")
    pings = WINDOW_SECONDS * PINGS_A_SECOND
    head = _HEAD.format(pings=pings, window=WINDOW_SECONDS)
    return head + "\n".join(rows) + "\n"
