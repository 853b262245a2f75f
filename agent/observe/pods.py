"""The names of pods and containers, from files that kubelet and containerd leave on the node.

/var/log/pods/NAMESPACE_POD_UID/ is made before a pod's sandbox, and removed with the pod: one
listing names all of them. A container's name is in its OCI bundle, else in the links of
/var/log/containers. No API server, no kubelet, no gRPC: this works while they do not.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

LISTING_SECONDS = 5.0  # a pod that is not known yet is looked for no sooner
PODS_MAX = 4096  # kubelet allows 110 by default; what is left of others is removed by it
LINKS_MAX = 16_384
BUNDLE_BYTES_MAX = 1024 * 1024
_BUNDLES = (
    "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io",
    "run/containerd/io.containerd.runtime.v2.task/k8s.io",
    "var/run/containerd/io.containerd.runtime.v2.task/k8s.io",
)
_ANNOTATION = "io.kubernetes.cri."
_CONTAINER_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PodName:
    """Neither part can hold a `_` (RFC 1123), which is what kubelet puts between them."""

    namespace: str
    pod: str


@dataclass(frozen=True)
class Bundle:
    """What containerd knows of a container; "" where it does not say."""

    pod_uid: str
    namespace: str
    pod: str
    container: str


class Pods:
    """Looks names up; asked again and again, it reads the directory now and then."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Nothing is read yet."""
        self._root = root
        self._listed: Mapping[str, PodName] | None = None
        self._listed_at = -LISTING_SECONDS

    def here(self) -> Mapping[str, PodName] | None:
        """Every pod of this node by its uid; None where that cannot be told."""
        now = time.monotonic()
        if now - self._listed_at >= LISTING_SECONDS:
            self._listed_at = now
            self._listed = self._list()
        return self._listed

    def container(self, container_id: str) -> Bundle | None:
        """What is known of a container by its id."""
        if not _CONTAINER_ID.fullmatch(container_id):
            return None
        for directory in _BUNDLES:
            path = self._root / directory / container_id / "config.json"
            try:
                with path.open("rb") as file:
                    raw = file.read(BUNDLE_BYTES_MAX + 1)
            except OSError:
                continue
            if len(raw) <= BUNDLE_BYTES_MAX and (found := _bundle(raw)):
                return found
        return self._linked(container_id)

    def _list(self) -> Mapping[str, PodName] | None:
        found = {}
        try:
            with os.scandir(self._root / "var/log/pods") as entries:
                for entry in islice(entries, PODS_MAX):
                    namespace, _, rest = entry.name.partition("_")
                    pod, _, uid = rest.rpartition("_")
                    if namespace and pod and uid:
                        found[uid] = PodName(namespace, pod)
        except OSError:
            return None
        return found

    def _linked(self, container_id: str) -> Bundle | None:
        """POD_NAMESPACE_CONTAINER-ID.log; kubelet cuts names that are too long for a file off."""
        suffix = f"-{container_id}.log"
        try:
            with os.scandir(self._root / "var/log/containers") as entries:
                names = (entry.name for entry in islice(entries, LINKS_MAX))
                name = next((each for each in names if each.endswith(suffix)), "")
        except OSError:
            return None
        pod, _, rest = name.removesuffix(suffix).partition("_")
        namespace, _, container = rest.partition("_")
        return Bundle("", namespace, pod, container) if container else None


def _bundle(raw: bytes) -> Bundle | None:
    """From the annotations that containerd's CRI plugin gives every container (annotations.go)."""
    try:
        found: Any = json.loads(raw)["annotations"]
        values = {key.removeprefix(_ANNOTATION): str(value) for key, value in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    names = ("sandbox-uid", "sandbox-namespace", "sandbox-name", "container-name")
    return Bundle(*(values.get(name, "") for name in names))
