"""One look at GPU memory: what the daemon says, or where none runs one sample, without peaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from agent import gpu_memory
from agent.config import Config, load_default
from agent.model.gpu import GpuHistory, GpuReport, GpuSample, GpuView
from agent.model.policy import GpuPolicy
from agent.model.state import GpuWatch
from agent.observe import clock
from agent.observe.gpu_holders import Holders
from agent.observe.gpu_process import FIRST_SECONDS, sample_once
from agent.observe.gpu_replicas import read_allotment
from agent.observe.gpu_sampler import NO_LIBRARY
from agent.report import control
from agent.report.gpu import as_object
from agent.yaml_reader import ConfigError

TRIES_MAX = 3  # a sample that cannot be true is taken again


def ask_or_sample(
    socket: Path, deadline_seconds: float = FIRST_SECONDS
) -> tuple[dict[str, Any], bool]:
    """What `nodemend gpu` shows, and whether a daemon said it. control.Refused."""
    try:
        return control.ask(socket, "gpu")["gpu"], True
    except control.NoDaemon:
        return as_object(sample(_policy(), deadline_seconds), GpuWatch()), False


def sample(policy: GpuPolicy, deadline_seconds: float) -> GpuView:
    """One sample of this machine, with holders and without peaks."""
    words = ""
    for _ in range(TRIES_MAX):
        try:
            said = sample_once(deadline_seconds)
        except (TimeoutError, OSError, ValueError) as error:
            return GpuView("failed", str(error))
        if said is None:
            return GpuView("absent", NO_LIBRARY)
        if not isinstance(said, GpuReport):
            return GpuView("failed", said.words)
        if not said.dropped:
            return _view(said, policy)
        words = said.dropped
    return GpuView("failed", words)


def _view(report: GpuReport, policy: GpuPolicy) -> GpuView:
    holders = Holders()
    moment = GpuSample(
        at=clock.now(),
        driver_version=report.driver_version,
        readings=report.readings,
        holdings={r.gpu_uuid: holders.of(r.processes) for r in report.readings},
        replicas=read_allotment(Path("/"), holders.pods.here()).replicas,
    )
    return replace(
        GpuView("sampling"),
        driver_version=report.driver_version,
        sampled=moment.at,
        gpus=gpu_memory.memory(GpuHistory(), moment, policy),
        samples_total=1,
        headroom_bytes=policy.headroom_bytes,
    )


def _policy() -> GpuPolicy:
    try:
        return load_default().policy.gpu
    except ConfigError:
        return Config().policy.gpu
