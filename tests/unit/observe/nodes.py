"""A node's files, as kubelet, containerd and the kernel leave them, below a directory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

K3S_BUNDLES = "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io"


class NodeFiles:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "var/log/pods").mkdir(parents=True)
        (root / "var/log/containers").mkdir()

    def pod(self, namespace: str, name: str, uid: str) -> Path:
        directory = self.root / f"var/log/pods/{namespace}_{name}_{uid}"
        directory.mkdir()
        return directory

    def bundle(self, container_id: str, where: str = K3S_BUNDLES, **names: str) -> Path:
        """`names` with `_` for `-`, as in sandbox_uid."""
        directory = self.root / where / container_id
        directory.mkdir(parents=True)
        prefix = "io.kubernetes.cri."
        annotations = {prefix + key.replace("_", "-"): value for key, value in names.items()}
        (directory / "config.json").write_text(json.dumps({"annotations": annotations}))
        return directory / "config.json"

    def link(self, pod: str, namespace: str, container: str, container_id: str) -> None:
        name = f"{pod}_{namespace}_{container}-{container_id}.log"
        (self.root / "var/log/containers" / name).symlink_to("/nowhere")

    def process(self, pid: int, start: int, cgroup: str, comm: str = "python") -> None:
        directory = self.root / f"proc/{pid}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup").write_text(cgroup)
        fields = " ".join(["S", *["0"] * 18, str(start), *["0"] * 30])
        (directory / "stat").write_text(f"{pid} ({comm}) {fields}\n")

    def checkpoint(
        self,
        registered: Mapping[str, Sequence[str]],
        entries: Sequence[Mapping[str, object]] = (),
    ) -> Path:
        directory = self.root / "var/lib/kubelet/device-plugins"
        directory.mkdir(parents=True, exist_ok=True)
        data = {"PodDeviceEntries": list(entries), "RegisteredDevices": registered}
        path = directory / "kubelet_internal_checkpoint"
        path.write_text(json.dumps({"Data": data, "Checksum": 1}))
        return path
