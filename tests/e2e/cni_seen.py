"""docs/cni-guard-seen.md: what each event took away, who it was, how soon it was back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.e2e.cni_events import EVENTS
from tests.e2e.service import Daemon
from tests.lab import images

PAGE = images.CHECKOUT / "docs/cni-guard-seen.md"
_HEAD = """\
# What hosts do to a CNI's network, as seen in the lab

Written by `make lab-full` (tests/e2e/test_cni.py) on the kernels, systemd-networkd and
systemd-udevd of Debian 12 (systemd 252) and Debian 13 (systemd 257), in software emulation on one
processor, where all takes some thirty times as long as on a real one. The state is that of Cilium
(rules of protocol unspec and kernel, `lookup local` moved to 100), flannel host-gw and Calico, on
an uplink with a static address. What each event took away, who it was, and after how long the last
of it was back.

| event | release | taken away | by | back after |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Seen:
    """What was told of one event."""

    taken: tuple[tuple[str, int], ...]  # kind, how many
    culprits: tuple[str, ...]
    milliseconds: int  # until the last of it was back

    @classmethod
    def of(cls, daemon: Daemon) -> Seen:
        """By the product's own journal."""
        told, back = daemon.events("cni_interference"), daemon.events("cni_restored")
        counts: dict[str, int] = {}
        for entry in told:
            kind = entry["NODEMEND_KIND"]
            counts[kind] = counts.get(kind, 0) + int(entry["NODEMEND_COUNT"])
        culprits = sorted({entry["NODEMEND_CULPRIT"] for entry in told})
        last = max((int(entry["NODEMEND_MILLISECONDS"]) for entry in back), default=0)
        return cls(tuple(sorted(counts.items())), tuple(culprits), last)


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
            row = (event.what, release, taken, by, f"{found.milliseconds} ms")
            rows.append(f"| {' | '.join(row)} |")
    return _HEAD + "\n".join(rows) + "\n"
