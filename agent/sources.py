"""What each source has delivered, lost and last said: for /healthz, metrics and status."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from agent.model.facts import (
    AdapterRead,
    CountersRead,
    Fact,
    KernelLogRead,
    LinkGone,
    LinkSeen,
    LinksListed,
    ProbeEnded,
    ReadFailed,
    SourceGap,
    SpeedRead,
    UplinksRead,
    UsbTreeRead,
)
from agent.model.facts_of_cni import CniAudited, NetworkChanged, NetworkListed
from agent.model.identity import Stamp
from agent.model.outputs import ListLinks, Probe
from agent.model.snapshot import Source

RTNETLINK, READINGS, KERNEL_LOG, PROBE = "rtnetlink", "readings", "kernel_log", "probe"
GPU, NETWORK, CNI_AUDIT = "gpu", "network", "cni_audit"
JOURNAL, STORE, RECORDING, INCIDENTS, HTTP, CONTROL, CONSOLE = (
    "journal",
    "store",
    "recording",
    "incidents",
    "http",
    "control",
    "console",
)
QUIET_SECONDS = 10.0  # one that fails every moment is told of so often

_ORIGIN: Mapping[type, str] = {
    LinkSeen: RTNETLINK,
    LinkGone: RTNETLINK,
    LinksListed: READINGS,
    AdapterRead: READINGS,
    CountersRead: READINGS,
    UplinksRead: READINGS,
    UsbTreeRead: READINGS,
    SpeedRead: READINGS,
    KernelLogRead: KERNEL_LOG,
    ProbeEnded: PROBE,
    NetworkChanged: NETWORK,
    NetworkListed: NETWORK,
    CniAudited: CNI_AUDIT,
}


class Sources:
    """Counts as facts pass by; one record per source."""

    def __init__(self) -> None:
        """All are well until they show otherwise."""
        inward = (RTNETLINK, NETWORK, READINGS, KERNEL_LOG, PROBE, GPU, CNI_AUDIT)
        outward = (JOURNAL, STORE, RECORDING, INCIDENTS, HTTP, CONTROL, CONSOLE)
        self._sources = {name: Source("ok", "") for name in (*inward, *outward)}
        self._told = dict.fromkeys(self._sources, (-QUIET_SECONDS, "ok"))  # when, what
        self._gaps: set[str] = set()  # sources of which no listing has made up for a loss yet
        self._listing_failure: str | None = None

    def count(self, fact: Fact) -> None:
        """Take note of where a fact came from."""
        if isinstance(fact, SourceGap):
            known = self._sources[fact.source]
            self._sources[fact.source] = replace(known, dropped_total=known.dropped_total + 1)
            self._gaps.add(fact.source)
            return
        if isinstance(fact, ReadFailed) and isinstance(fact.question, ListLinks):
            self._listing_failure = fact.reason
            return
        if isinstance(fact, ReadFailed) and isinstance(fact.question, Probe):
            # No address yet, or the link went: the node's affair, so no failure of the source.
            self._sources[PROBE] = replace(self._sources[PROBE], detail=fact.reason)
            return
        origin = _ORIGIN.get(type(fact))
        if origin is None:
            return
        known = self._sources[origin]
        self._sources[origin] = replace(known, facts_total=known.facts_total + 1)
        if isinstance(fact, LinksListed):
            self._listed(RTNETLINK, fact.at)
            self._listing_failure = None
        if isinstance(fact, NetworkListed):
            self._listed(NETWORK, fact.at)
        if isinstance(fact, ProbeEnded):
            self.judge(PROBE, None)
        if isinstance(fact, KernelLogRead) and fact.lost:
            known = self._sources[KERNEL_LOG]
            lost = known.dropped_total + fact.lost
            self._sources[KERNEL_LOG] = replace(known, dropped_total=lost)

    def judge(self, name: str, failure: str | None) -> None:
        """What a source says of itself now: words where it failed, None where all is well."""
        if name == READINGS:
            failure = failure or self._listing_failure
        condition = self._sources[name].condition
        if condition != "not_applicable":
            known = replace(self._sources[name], condition="failed" if failure else "ok")
            self._sources[name] = replace(known, detail=failure or "")

    def absent(self, name: str, words: str) -> None:
        """The machine does not have it, and the words say why: no failure. No words: it does."""
        known = self._sources[name]
        if words:
            self._sources[name] = replace(known, condition="not_applicable", detail=words)
        elif known.condition == "not_applicable":
            self._sources[name] = replace(known, condition="ok", detail="")

    def lost(self, name: str, dropped_total: int) -> None:
        """How much a queue refused so far."""
        self._sources[name] = replace(self._sources[name], dropped_total=dropped_total)

    def sampled(self, name: str, facts_total: int, latest: Stamp | None) -> None:
        """How much came from a source whose every moment is no fact, and when the latest did."""
        at = latest.wall_ns if latest is not None else None
        known = replace(self._sources[name], facts_total=facts_total, last_success_wall_ns=at)
        self._sources[name] = known

    def changes(self) -> list[tuple[str, str | None]]:
        """Sources that began to fail, with the words, or that deliver again, with None."""
        now = time.monotonic()
        changed = []
        for name, source in self._sources.items():
            told_at, told = self._told[name]
            is_failed = source.condition == "failed"
            if is_failed != (told == "failed") and now - told_at >= QUIET_SECONDS:
                self._told[name] = (now, source.condition)
                changed.append((name, source.detail if is_failed else None))
        return changed

    def as_mapping(self) -> Mapping[str, Source]:
        """A copy for a snapshot."""
        return dict(self._sources)

    def _listed(self, name: str, at: Stamp) -> None:
        """A listing compares all that events told with the kernel's own list."""
        known = self._sources[name]
        self._sources[name] = replace(
            known,
            last_success_wall_ns=at.wall_ns,
            resyncs_total=known.resyncs_total + (1 if name in self._gaps else 0),
        )
        self._gaps.discard(name)
