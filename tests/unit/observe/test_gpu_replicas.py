"""Into how many replicas a GPU is shared, from the kubelet's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.observe.gpu_replicas import Allotment, read_allotment
from agent.observe.pods import PodName
from tests.unit.observe.nodes import NodeFiles

UID = "0e9bd9d7-2d11-4f0e-8f4f-2f7f5d1d3c0a"
PLUGIN_UID = "91d1f1d2-6a0c-4a43-9a57-8f9f7f8d2b11"
PODS = {PLUGIN_UID: PodName("kube-system", "nvidia-device-plugin-daemonset-x7k2p")}
SLICED = [f"GPU-1::{number}" for number in range(4)]
CONFIG = """\
version: v1
sharing:
  timeSlicing:
    resources:
      - {name: nvidia.com/gpu, replicas: 4}
"""


@pytest.fixture
def node(tmp_path: Path) -> NodeFiles:
    return NodeFiles(tmp_path)


def configured(node: NodeFiles, text: str) -> None:
    volume = node.root / f"var/lib/kubelet/pods/{PLUGIN_UID}/volumes/kubernetes.io~configmap/c"
    volume.mkdir(parents=True)
    (volume / "config.yaml").write_text(text)


def test_the_kubelets_checkpoint_counts_them(node: NodeFiles) -> None:
    entry = {"PodUID": UID, "ContainerName": "train", "ResourceName": "nvidia.com/gpu"}
    others = {"PodUID": "x", "ContainerName": "y", "ResourceName": "intel.com/sriov"}
    node.checkpoint({"nvidia.com/gpu": [*SLICED, "GPU-2"], "other": ["a::1"]}, [entry, others])

    assert Allotment({"GPU-1": 4, "GPU-2": 1}, frozenset({UID})) == read_allotment(node.root, PODS)


def test_a_renamed_resource_counts_as_well(node: NodeFiles) -> None:
    node.checkpoint({"nvidia.com/gpu.shared": SLICED})

    assert {"GPU-1": 4} == read_allotment(node.root, {}).replicas


def test_without_a_checkpoint_the_plugins_configuration_says_it(node: NodeFiles) -> None:
    configured(node, CONFIG)

    assert Allotment({"": 4}, None) == read_allotment(node.root, PODS)
    assert Allotment() == read_allotment(node.root, {}), "without that pod nobody knows"


@pytest.mark.parametrize(
    "text",
    ["", "{", "sharing: {}", "sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu}]}}"],
)
def test_a_configuration_that_does_not_say_it(node: NodeFiles, text: str) -> None:
    configured(node, text)

    assert Allotment() == read_allotment(node.root, PODS)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"Data": 3}', '{"Data": {"PodDeviceEntries": 4}}']
)
def test_a_checkpoint_of_another_form_is_unknown(node: NodeFiles, text: str) -> None:
    node.checkpoint({}).write_text(text)

    assert Allotment() == read_allotment(node.root, {})
