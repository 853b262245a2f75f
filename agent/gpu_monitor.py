"""GPU memory from the sampler to what is shown: holders, peaks, and the facts that matter.

All of it happens on the sampler's thread. The loop takes the latest view, which is immutable, and
the few facts that are told: whatever becomes of the GPU, the loop waits for none of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent import gpu_memory, gpu_notice
from agent.gpu_peaks import Peaks
from agent.model.facts import Fact
from agent.model.facts_of_gpus import GpuPeaksSpoiled, GpuReleaseRequested, GpuSamplerEnded
from agent.model.gpu import GpuCondition, GpuReport, GpuSample, GpuView
from agent.model.policy import GpuPolicy
from agent.observe import clock
from agent.observe.gpu_holders import Holders
from agent.observe.gpu_replicas import Allotment, read_allotment
from agent.observe.gpu_sampler import NO_LIBRARY, Failure, Sampler

ALLOTMENT_SECONDS = 60.0  # the kubelet's files change when somebody changes the cluster
DROPS_MAX = 5  # in a row: then the numbers are not to be had, and that is a failure
_SECOND_NS = 1_000_000_000


class GpuMonitor:
    """Owns the sampler, the peaks and the view."""

    def __init__(
        self,
        state: Path,
        policy: GpuPolicy,
        deliver: Callable[[Fact], None],
        root: Path = Path("/"),
    ) -> None:
        """`deliver` must be safe to call from another thread. Nothing is sampled before `start`."""
        self._policy, self._deliver, self._root = policy, deliver, root
        self._state = state
        self._peaks: Peaks | None = None  # not before there is a GPU
        self._holders = Holders(root)
        self._noticed = gpu_notice.Noticed()
        self._allotment, self._allotment_at = Allotment(), -ALLOTMENT_SECONDS
        self._drops = 0  # in a row
        self._view = GpuView(words=NO_LIBRARY)
        self._sampler = Sampler(self, policy.interval_ns / _SECOND_NS)

    def start(self) -> None:
        """Begin to sample."""
        self._sampler.start()

    @property
    def view(self) -> GpuView:
        """What is known just now."""
        return self._view

    @property
    def failure(self) -> str | None:
        """Why nothing is known of the GPUs; None while all is well, or there are none."""
        if not self._sampler.is_alive:
            return "its thread has ended"
        view = self._view
        if view.condition == "failed":
            return view.words
        return self._peaks.failure if self._peaks is not None else None

    @property
    def missing(self) -> str:
        """Why there is nothing to sample."""
        return self._view.words if self._view.condition in ("absent", "released") else ""

    def use(self, policy: GpuPolicy) -> None:
        """Another configuration is in force."""
        self._policy = policy
        self._sampler.use(policy.interval_ns / _SECOND_NS)

    def release(self, seconds: int) -> None:
        """Let go of the driver for so long; 0: take it up again. From any thread."""
        if seconds:
            self._sampler.release(seconds)
        else:
            self._sampler.resume()
        self._deliver(GpuReleaseRequested(clock.now(), seconds))

    def close(self, deadline_seconds: float) -> None:
        """End the sampler and keep the peaks."""
        self._sampler.close(deadline_seconds)
        if self._peaks is not None:
            self._peaks.close(deadline_seconds)

    # --- told by the sampler, on its thread ---------------------------------------------------

    def absent(self, words: str) -> None:
        self._show("absent", words)

    def starting(self) -> None:
        if self._view.condition in ("absent", "released"):
            self._show("starting", "the sampler starts")

    def failed(self, failure: Failure) -> None:
        seconds = failure.retry_seconds
        when = "" if seconds is None else f"; next try in {seconds:.0f} s"
        self._show("failed", f"{failure.words}{when}")
        self._deliver(
            GpuSamplerEnded(clock.now(), failure.reason, failure.words, failure.retry_seconds)
        )

    def released(self, words: str) -> None:
        if words:
            self._show("failed", f"the driver is not released: {words}")
        else:
            self._show("released", "released: nothing of nodemend holds the driver")

    def heard(self, report: GpuReport) -> None:
        at = clock.now()
        for fact in gpu_notice.faults(at, report.xids):
            self._deliver(fact)
        if report.dropped:
            self._drop(report)
            return
        self._drops = 0
        peaks, policy, readings = self._peaks_read(), self._policy, report.readings
        sample = GpuSample(
            at=at,
            driver_version=report.driver_version,
            readings=readings,
            holdings={r.gpu_uuid: self._holders.of(r.processes) for r in readings},
            ended={r.gpu_uuid: self._holders.of(r.ended) for r in readings if r.ended},
            pods_here=self._pods_here(),
            replicas=self._allotted().replicas,
        )
        self._holders.keep_only(process for r in readings for process in r.processes)
        sample = gpu_memory.named(peaks.history, sample)
        peaks.keep(gpu_memory.remember(peaks.history, sample))
        self._noticed, facts = gpu_notice.notice(self._noticed, sample, policy.headroom_bytes)
        for fact in facts:
            self._deliver(fact)
        self._view = GpuView(
            condition="sampling",
            driver_version=report.driver_version,
            sampled=at,
            gpus=gpu_memory.memory(peaks.history, sample, policy),
            samples_total=self._view.samples_total + 1,
            dropped_total=self._view.dropped_total,
            top_processes=policy.top_processes,
            headroom_bytes=policy.headroom_bytes,
        )

    def _peaks_read(self) -> Peaks:
        if self._peaks is None:
            self._peaks = Peaks(self._state)
            spoiled = self._peaks.spoiled
            if spoiled is not None:
                self._deliver(GpuPeaksSpoiled(clock.now(), spoiled.path, spoiled.reason))
        return self._peaks

    def _drop(self, report: GpuReport) -> None:
        """A moment that cannot be true is not shown; the one before stays, for a few of them."""
        self._drops += 1
        self._view = replace(self._view, dropped_total=self._view.dropped_total + 1)
        if self._drops >= DROPS_MAX:
            self._show("failed", f"{self._drops} samples in a row are no use: {report.dropped}")

    def _show(self, condition: GpuCondition, words: str) -> None:
        """Without a sample there is nothing to show: old numbers would pass for new ones."""
        self._view = replace(self._view, condition=condition, words=words, gpus=())

    def _pods_here(self) -> frozenset[str] | None:
        pods = self._holders.pods.here()
        return None if pods is None else frozenset(pods)

    def _allotted(self) -> Allotment:
        now = time.monotonic()
        if now - self._allotment_at >= ALLOTMENT_SECONDS:
            self._allotment_at = now
            self._allotment = read_allotment(self._root, self._holders.pods.here())
        return self._allotment
