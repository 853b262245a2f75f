"""The doctor's word on GPUs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.audit.answer import Answer
from agent.doctor.report import examine_machine
from agent.model.gpu import GpuView
from agent.model.state import GpuWatch
from agent.report.gpu import as_object
from tests.unit.doctor.node import Node, sound_node
from tests.unit.report.snapshots import A_POD, A_POD_WITHOUT_NAME, T4, a_busy_snapshot


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return sound_node(tmp_path)


def well() -> dict[str, Any]:
    return as_object(a_busy_snapshot().gpu, GpuWatch())


def answer(node: Node, name: str, found: dict[str, Any] | None) -> Answer:
    look = None if found is None else lambda: found
    report = examine_machine(replace(node.machine(), look_at_gpus=look))
    return dict(report.answers)[name]


def changed(**values: Any) -> dict[str, Any]:
    found = well()
    found["gpus"][0].update(values)
    return found


def allot(node: Node, *uids: str, replicas: int = 4) -> None:
    entries = [{"PodUID": uid, "ResourceName": "nvidia.com/gpu"} for uid in uids]
    ids = [f"{T4}::{number}" for number in range(replicas)]
    data = {"PodDeviceEntries": entries, "RegisteredDevices": {"nvidia.com/gpu": ids}}
    node.write(
        "var/lib/kubelet/device-plugins/kubelet_internal_checkpoint", json.dumps({"Data": data})
    )


@pytest.mark.parametrize(
    "name", ["gpu", "gpu_compute_mode", "gpu_persistence", "gpu_asked_for", "gpu_replicas"]
)
def test_a_node_without_a_gpu_has_no_problem_with_it(node: Node, name: str) -> None:
    absent = as_object(GpuView(words="no driver"), GpuWatch())

    assert ["yes", "yes"] == [answer(node, name, found).outcome for found in (None, absent)]


def test_a_gpu_that_is_well(node: Node) -> None:
    allot(node, A_POD.pod_uid, A_POD_WITHOUT_NAME.pod_uid)
    for name in ("gpu", "gpu_compute_mode", "gpu_persistence", "gpu_asked_for", "gpu_replicas"):
        found = answer(node, name, well())
        assert "yes" == found.outcome, found


def test_a_sampler_that_fails_and_a_gpu_that_is_lost(node: Node) -> None:
    failed = as_object(GpuView("failed", "killed by SIGSEGV"), GpuWatch())
    lost = as_object(a_busy_snapshot().gpu, a_busy_snapshot().state.gpu)

    assert ("no", "killed by SIGSEGV") == (
        (found := answer(node, "gpu", failed)).outcome,
        found.words,
    )
    assert "Tesla T4 (GPU-2): DeviceGetMemoryInfo: GPU is lost" in answer(node, "gpu", lost).words
    assert "unknown" == answer(node, "gpu_persistence", failed).outcome


@pytest.mark.parametrize(
    ("mode", "replicas", "outcome"),
    [
        ("default", 4, "yes"),
        ("exclusive_process", 1, "yes"),
        ("exclusive_process", 4, "no"),
        ("prohibited", 1, "no"),
        (None, 4, "yes"),
    ],
)
def test_the_compute_mode_must_let_programs_in(
    node: Node, mode: str | None, replicas: int, outcome: str
) -> None:
    found = answer(node, "gpu_compute_mode", changed(compute_mode=mode, replicas=replicas))

    assert outcome == found.outcome, found


@pytest.mark.parametrize(("persistence", "outcome"), [(True, "yes"), (False, "no"), (None, "yes")])
def test_persistence(node: Node, persistence: bool | None, outcome: str) -> None:
    assert outcome == answer(node, "gpu_persistence", changed(persistence=persistence)).outcome


def test_a_pod_that_never_asked_is_named(node: Node) -> None:
    assert "unknown" == answer(node, "gpu_asked_for", well()).outcome, "nobody can tell"

    allot(node, A_POD_WITHOUT_NAME.pod_uid)
    found = answer(node, "gpu_asked_for", well())

    assert "no" == found.outcome
    assert "ml/trainer-0" in found.words
    assert "runtimeClassName" in found.to_do


def test_replicas_that_do_not_fit(node: Node) -> None:
    assert (
        "2 pods hold memory of 1 replicas"
        in answer(node, "gpu_replicas", changed(replicas=1)).words
    )

    allot(node, replicas=3)
    assert (
        "gpu.replicas is 4, the device plugin shares it by 3"
        in answer(node, "gpu_replicas", well()).words
    )
