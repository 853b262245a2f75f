"""From a cgroup to a pod: every form that kubelets and runtimes make."""

from __future__ import annotations

import pytest

from agent.observe.cgroup import Place, place

UID = "0e9bd9d7-2d11-4f0e-8f4f-2f7f5d1d3c0a"
UID_ = UID.replace("-", "_")
STATIC = "5f1b4c1e3f1f4f0fa6a0d6f1f8b7c9d2"
ID = "3b1d9ebe41424180a8d921c3c7ffef94" * 2
OTHER_ID = "a75593682c64422d976a607498c7f03c" * 2
BURSTABLE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice"

POD = Place(UID, ID)
FORMS = {
    "systemd, burstable": (f"0::{BURSTABLE}/cri-containerd-{ID}.scope\n", POD),
    "systemd, guaranteed": (
        f"0::/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope\n",
        POD,
    ),
    "systemd, a group below": (f"0::{BURSTABLE}/cri-containerd-{ID}.scope/init/worker\n", POD),
    "cgroupfs, best effort": (f"0::/kubepods/besteffort/pod{UID}/{ID}\n", POD),
    "cgroupfs, guaranteed": (f"0::/kubepods/pod{UID}/{ID}\n", POD),
    "a static pod": (f"0::/kubepods/burstable/pod{STATIC}/{ID}\n", Place(STATIC, ID)),
    "a static pod, systemd": (
        f"0::/kubepods.slice/kubepods-pod{STATIC}.slice/cri-containerd-{ID}.scope\n",
        Place(STATIC, ID),
    ),
    "k3s with cgroupfs": (f"0::/system.slice/k3s.service/kubepods/pod{UID}/{ID}\n", POD),
    "drivers that do not match": (
        f"0::/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice"
        f":cri-containerd:{ID}\n",
        POD,
    ),
    "kind": (
        f"0::/docker/{OTHER_ID}/kubelet.slice/kubelet-kubepods.slice/"
        f"kubelet-kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope\n",
        POD,
    ),
    "CRI-O": (f"0::{BURSTABLE}/crio-{ID}.scope\n", POD),
    "docker as the runtime": (f"0::{BURSTABLE}/docker-{ID}.scope\n", POD),
    "a cgroup namespace above": (f"0::/../../kubepods/pod{UID}/{ID}\n", POD),
    "the pod is gone": (f"0::/kubepods/pod{UID}/{ID} (deleted)\n", POD),
    "version 1": (
        f"12:memory:{BURSTABLE}/cri-containerd-{ID}.scope\n"
        f"3:cpu,cpuacct:{BURSTABLE}/cri-containerd-{ID}.scope\n"
        f"1:name=systemd:{BURSTABLE}/cri-containerd-{ID}.scope\n",
        POD,
    ),
    "version 1, one hierarchy only": (
        f"9:devices:/\n4:memory:/kubepods/pod{UID}/{ID}\n1:name=systemd:/system.slice/k3s.service\n",
        POD,
    ),
    "hybrid": (f"4:memory:/kubepods/pod{UID}/{ID}\n0::/\n", POD),
    "without a container": (f"0::{BURSTABLE}\n", Place(UID)),
    "a service": ("0::/system.slice/gdm.service\n", Place(unit="gdm.service")),
    "a service's own groups": (
        "0::/system.slice/docker.service/payload/x\n",
        Place(unit="docker.service"),
    ),
    "a user's": (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/firefox.service\n",
        Place(unit="user@1000.service"),
    ),
    "a login": ("0::/user.slice/user-0.slice/session-3.scope\n", Place(unit="session-3.scope")),
    "docker on the host": (
        f"0::/system.slice/docker-{ID}.scope\n",
        Place(unit=f"docker-{ID}.scope"),
    ),
    "version 1, a service": (
        "9:devices:/system.slice\n4:memory:/system.slice/x.service\n"
        "1:name=systemd:/system.slice/x.service\n",
        Place(unit="x.service"),
    ),
    "no systemd": ("3:cpu:/\n2:memory:/lxc/one\n", Place(unit="/lxc/one")),
    "a root": ("0::/\n", Place(unit="/")),
    "nothing": ("", Place(unit="/")),
    "nonsense": ("\0\n::\n:\nx", Place(unit="/")),
    "no uid": ("0::/system.slice/podman-pod1234.service\n", Place(unit="podman-pod1234.service")),
}


@pytest.mark.parametrize(("text", "expected"), FORMS.values(), ids=FORMS.keys())
def test_each_form(text: str, expected: Place) -> None:
    assert expected == place(text)


def test_a_unit_is_bounded() -> None:
    assert 128 == len(place(f"0::/{'x' * 4000}\n").unit)
