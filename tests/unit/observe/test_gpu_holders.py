"""Whose a process is: names, pids that are used again, pods that are gone, and many of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.model.gpu import GpuProcess, Holder
from agent.observe import gpu_holders, pods
from agent.observe.gpu_holders import UNKNOWN_UNIT, Holders
from agent.observe.process import identity
from tests.unit.observe.nodes import NodeFiles

UID = "0e9bd9d7-2d11-4f0e-8f4f-2f7f5d1d3c0a"
ID = "3b1d9ebe41424180a8d921c3c7ffef94" * 2
IN_POD = f"0::/kubepods/burstable/pod{UID}/{ID}\n"
TRAINER = Holder("", UID, "ml", "trainer-0", "train")


@pytest.fixture
def node(tmp_path: Path) -> NodeFiles:
    return NodeFiles(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at once again."""
    monkeypatch.setattr(gpu_holders, "RENAME_SECONDS", 0.0)
    monkeypatch.setattr(pods, "LISTING_SECONDS", 0.0)


def process(pid: int = 7, start: int = 100) -> GpuProcess:
    return GpuProcess(pid, start, "python", 1)


def holder(holders: Holders, *processes: GpuProcess) -> Holder:
    return holders.of(processes or (process(),))[0].holder


def test_names_come_from_the_log_directory_and_the_bundle(node: NodeFiles) -> None:
    node.pod("ml", "trainer-0", UID)
    node.bundle(ID, container_name="train")
    node.process(7, 100, IN_POD)

    assert TRAINER == holder(Holders(node.root))


@pytest.mark.parametrize("where", ["run/containerd/io.containerd.runtime.v2.task/k8s.io"])
def test_a_bundle_alone_names_it_all(node: NodeFiles, where: str) -> None:
    names = {"sandbox_namespace": "ml", "sandbox_name": "trainer-0", "container_name": "train"}
    node.bundle(ID, where, **names)
    node.process(7, 100, IN_POD)

    assert TRAINER == holder(Holders(node.root))


def test_without_a_bundle_the_logs_links_know_the_container(node: NodeFiles) -> None:
    node.pod("ml", "trainer-0", UID)
    node.link("trainer-0", "ml", "train", ID)
    node.process(7, 100, IN_POD)

    assert TRAINER == holder(Holders(node.root))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"annotations":7}', b"x" * 2**21])
def test_a_bundle_that_is_no_use_is_passed_over(node: NodeFiles, content: bytes) -> None:
    node.pod("ml", "trainer-0", UID)
    node.bundle(ID).write_bytes(content)
    node.link("trainer-0", "ml", "train", ID)
    node.process(7, 100, IN_POD)

    assert TRAINER == holder(Holders(node.root))


def test_a_pod_that_nobody_names_is_visible_under_its_uid(node: NodeFiles) -> None:
    node.process(7, 100, IN_POD)

    assert Holder(pod_uid=UID) == holder(Holders(node.root))


@pytest.mark.usefixtures("impatient")
def test_a_name_that_comes_later_is_found(node: NodeFiles) -> None:
    node.process(7, 100, IN_POD)
    holders = Holders(node.root)
    assert Holder(pod_uid=UID) == holder(holders)

    node.pod("ml", "trainer-0", UID)
    node.bundle(ID, container_name="train")

    assert TRAINER == holder(holders)


@pytest.mark.usefixtures("impatient")
def test_a_pod_that_is_deleted_keeps_its_name_while_its_process_lives(node: NodeFiles) -> None:
    directory = node.pod("ml", "trainer-0", UID)
    bundle = node.bundle(ID, container_name="train")
    node.process(7, 100, IN_POD)
    holders = Holders(node.root)
    holder(holders)

    directory.rmdir()
    shutil.rmtree(bundle.parent)
    node.process(7, 100, IN_POD.replace("\n", " (deleted)\n"))

    assert TRAINER == holder(holders)


def test_a_pid_that_is_used_again_is_another_process(node: NodeFiles) -> None:
    node.pod("ml", "trainer-0", UID)
    node.process(7, 100, IN_POD)
    holders = Holders(node.root)
    assert UID == holder(holders).pod_uid

    node.process(7, 999, "0::/system.slice/gdm.service\n")

    assert Holder(unit="gdm.service") == holder(holders, process(start=999))
    assert UID == holder(holders, process(start=100)).pod_uid, "the former is not forgotten"


def test_a_pid_that_was_used_again_before_anybody_looked_is_nobodys(node: NodeFiles) -> None:
    node.process(7, 999, "0::/system.slice/gdm.service\n")

    assert Holder(unit=UNKNOWN_UNIT) == holder(Holders(node.root), process(start=100))


def test_one_that_ended_before_anybody_looked_is_nobodys(node: NodeFiles) -> None:
    assert Holder(unit=UNKNOWN_UNIT) == holder(Holders(node.root))


def test_what_is_remembered_is_bounded_by_what_there_is(node: NodeFiles) -> None:
    holders = Holders(node.root)
    for pid in range(1, 50):
        node.process(pid, 100, IN_POD)
        holders.of([process(pid)])
    holders.keep_only([process(3)])

    assert [(3, 100)] == list(holders._known)


def test_five_hundred_processes_in_a_hundred_pods(node: NodeFiles) -> None:
    processes = []
    for number in range(100):
        uid, container = f"{number:08x}-2d11-4f0e-8f4f-2f7f5d1d3c0a", f"{number:064x}"
        node.pod("ml", f"pod-{number}", uid)
        node.bundle(container, container_name="main")
        for replica in range(5):
            pid = 1000 + 5 * number + replica
            node.process(pid, pid, f"0::/kubepods/pod{uid}/{container}\n")
            processes.append(process(pid, pid))

    found = [holding.holder for holding in Holders(node.root).of(processes)]

    assert 500 == len(found)
    names = {("ml", f"pod-{number}", "main") for number in range(100)}
    assert names == {(each.namespace, each.pod, each.container) for each in found}
    assert all(5 == found.count(each) for each in set(found))


# --- on this machine's own cgroups ------------------------------------------------------------

# cgroup2, and version 1's hierarchy without controllers: both may be mounted at once (hybrid).
TREES = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))
FORMS = {
    "cgroupfs": f"kubepods/burstable/pod{UID}/{ID}",
    "systemd": "kubepods.slice/kubepods-burstable.slice/"
    f"kubepods-burstable-pod{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope",
    "nested": f"k3s-nodemend-test.service/kubepods/pod{UID}/{ID}/init",
    "static": f"kubepods/pod{UID.replace('-', '')}/{ID}",
}


@pytest.fixture(params=TREES, ids=str)
def tree(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory in a real hierarchy, removed with all below it."""
    base: Path = request.param
    top = base / f"nodemend-test-{os.getpid()}"
    if not (base / "cgroup.procs").exists():
        pytest.skip(f"no cgroup hierarchy is mounted at {base}")
    try:
        top.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made below {base}: {error.strerror}")
    yield top
    for directory, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):
            Path(directory).rmdir()


@pytest.mark.allow_subprocess
@pytest.mark.allow_sysfs
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_real_process_in_a_real_cgroup(tree: Path, form: str) -> None:
    group = tree / form
    group.mkdir(parents=True)
    child = subprocess.Popen(["sleep", "60"])
    try:
        (group / "cgroup.procs").write_text(str(child.pid))
        known = identity(child.pid)
        assert known is not None
        found = Holders().of([GpuProcess(child.pid, known[0], known[1], 1)])[0].holder
    finally:
        child.kill()
        child.wait()

    assert found.pod_uid.replace("-", "") == UID.replace("-", "")
    assert "" == found.unit
