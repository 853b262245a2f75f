"""Into how many replicas each GPU is shared by time-slicing, as the kubelet's files say it.

The checkpoint of its device manager lists every device that the plugin registered: with
time-slicing GPU-uuid::0, GPU-uuid::1 and so on (k8s-device-plugin, internal/rm/devices.go). Where
that cannot be read, the plugin's own configuration is looked for among the volumes of its pod.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from agent.model.policy import REPLICAS_MAX
from agent.observe.pods import PodName

CHECKPOINT = "var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"
FILE_BYTES_MAX = 4 * 1024 * 1024
VOLUME_FILES_MAX = 64
_RESOURCE = "nvidia.com/gpu"  # also nvidia.com/gpu.shared, as the plugin may rename it
_SEPARATOR = "::"
_PLUGIN = "nvidia-device-plugin"


@dataclass(frozen=True)
class Allotment:
    """What the kubelet has given away."""

    replicas: Mapping[str, int] = field(default_factory=dict)  # by uuid, of registered devices
    pods: frozenset[str] | None = None  # uids that were given a GPU; None: cannot be told


def read_allotment(root: Path, pods: Mapping[str, PodName] | None) -> Allotment:
    """From the checkpoint; what it does not say, from the plugin's configuration."""
    found = _checkpoint(root)
    if found is not None and found.replicas:
        return found
    replicas = _configured(root, pods or {})
    given = found.pods if found is not None else None
    return Allotment({"": replicas} if replicas else {}, given)


def _checkpoint(root: Path) -> Allotment | None:
    """Its form changed with Kubernetes 1.20: devices by NUMA node, in place of a list."""
    try:
        data = json.loads(_raw(root / CHECKPOINT))["Data"]
        registered = data.get("RegisteredDevices") or {}
        entries = data.get("PodDeviceEntries") or []
        replicas: dict[str, int] = {}
        for resource, ids in registered.items():
            for each in ids if _is_gpu(resource) else ():
                uuid = str(each).partition(_SEPARATOR)[0]
                replicas[uuid] = replicas.get(uuid, 0) + 1
        pods = frozenset(str(e["PodUID"]) for e in entries if _is_gpu(e["ResourceName"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Allotment(replicas, pods)


def _is_gpu(resource: str) -> bool:
    return resource == _RESOURCE or resource.startswith((f"{_RESOURCE}.", "nvidia.com/mig-"))


def _configured(root: Path, pods: Mapping[str, PodName]) -> int | None:
    for uid, name in pods.items():
        if _PLUGIN in name.pod:
            for path in _files(root / "var/lib/kubelet/pods" / uid / "volumes"):
                if replicas := _replicas(path):
                    return replicas
    return None


def _files(volumes: Path) -> Iterator[Path]:
    try:
        yield from islice(volumes.glob("kubernetes.io~configmap/*/*"), VOLUME_FILES_MAX)
    except OSError:
        return


def _replicas(path: Path) -> int | None:
    """sharing.timeSlicing.resources[].replicas of the plugin's configuration, version v1."""
    try:
        found: Any = yaml.safe_load(_raw(path))
        for resource in found["sharing"]["timeSlicing"]["resources"]:
            if _is_gpu(resource["name"]) and 1 <= int(resource["replicas"]) <= REPLICAS_MAX:
                return int(resource["replicas"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError, RecursionError):
        return None
    return None


def _raw(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
    return raw
