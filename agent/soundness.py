"""Once a second: does everything that facts come from, or go to, still work?

Never silently wrong: a source that fails is told as a fact, and so stands in the journal, in
/healthz, in metrics and in `nodemend status`. What can be opened anew is opened anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.audit_monitor import AuditMonitor
from agent.gpu_monitor import GpuMonitor
from agent.model.facts import Fact, SourceChanged
from agent.observe import clock
from agent.report.control import ControlServer
from agent.report.incident_files import IncidentFiles
from agent.report.journal import Journal
from agent.report.recorder import Recorder
from agent.serving import Serving
from agent.sources import (
    CNI_AUDIT,
    CONSOLE,
    CONTROL,
    GPU,
    HTTP,
    INCIDENTS,
    JOURNAL,
    KERNEL_LOG,
    NETWORK,
    RECORDING,
    RTNETLINK,
    STORE,
    Sources,
)

LOOK_SECONDS = 1.0
REVIVE_SECONDS = 10.0  # between attempts to serve HTTP anew

Failure = Callable[[], "str | None"]


class Soundness:
    """Asks everything that can fail."""

    def __init__(
        self,
        sources: Sources,
        serving: Serving,
        control: ControlServer,
        journal: Journal,
        recorder: Recorder,
        incidents: IncidentFiles,
        gpu: GpuMonitor,
        audit: AuditMonitor,
        *,
        rtnetlink: Failure,
        network: Failure,
        kernel_log: Failure,
        store: Failure,
        console: Failure,
    ) -> None:
        """What has more to tell than its failure is given as itself."""
        self._sources = sources
        self._serving = serving
        self._journal, self._recorder = journal, recorder
        self._incidents, self._gpu, self._audit = incidents, gpu, audit
        self._failures: dict[str, Failure] = {
            RTNETLINK: rtnetlink,
            NETWORK: network,
            KERNEL_LOG: kernel_log,
            STORE: store,
            CONSOLE: console,
            CONTROL: control.check,
            JOURNAL: lambda: journal.failure,
            RECORDING: lambda: recorder.failure,
            INCIDENTS: lambda: incidents.failure,
            HTTP: self._http,
            GPU: lambda: gpu.failure,
            CNI_AUDIT: lambda: audit.failure,
        }
        self._looked_at = 0.0
        self._revived_at = 0.0

    def look(self) -> list[Fact]:
        """What has changed since the last look; nothing within the second."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return []
        self._looked_at = now
        self._sources.absent(GPU, self._gpu.missing)
        self._sources.absent(CNI_AUDIT, self._audit.missing)
        for name, failure in self._failures.items():
            self._sources.judge(name, failure())
        self._sources.lost(JOURNAL, self._journal.dropped_total)
        self._sources.lost(RECORDING, self._recorder.dropped_total)
        self._sources.lost(INCIDENTS, self._incidents.dropped_total)
        view = self._gpu.view
        self._sources.lost(GPU, view.dropped_total)
        self._sources.sampled(GPU, view.samples_total, view.sampled)
        at = clock.now()
        return [SourceChanged(at, name, words) for name, words in self._sources.changes()]

    def _http(self) -> str | None:
        failure = self._serving.failure
        now = time.monotonic()
        if failure is None or now - self._revived_at < REVIVE_SECONDS:
            return failure
        self._revived_at = now
        try:
            self._serving.revive()
        except OSError as error:
            return f"{failure}; {error}"
        return failure
