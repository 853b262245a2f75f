"""The library is found where it may be, without being loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.observe.gpu_library import LIBRARY, find_library

ARCH = os.uname().machine


@pytest.mark.parametrize(
    "directory",
    [
        f"usr/lib/{ARCH}-linux-gnu",
        "usr/lib64",
        f"usr/lib/{ARCH}-linux-gnu/nvidia/current",
        "usr/lib/wsl/lib",
        "usr/local/nvidia/lib64",
        f"run/nvidia/driver/usr/lib/{ARCH}-linux-gnu",
    ],
)
def test_where_distributions_the_toolkit_and_wsl_put_it(directory: str, tmp_path: Path) -> None:
    assert find_library(tmp_path, "") is None
    path = tmp_path / directory / LIBRARY
    path.parent.mkdir(parents=True)
    path.touch()

    assert path == find_library(tmp_path, "")


def test_where_the_dynamic_linker_is_told_to_look(tmp_path: Path) -> None:
    (tmp_path / "etc/ld.so.conf.d").mkdir(parents=True)
    (tmp_path / "etc/ld.so.conf.d/nvidia.conf").write_text("# comment\n/opt/nvidia/lib\n")
    (tmp_path / "opt/nvidia/lib").mkdir(parents=True)
    (tmp_path / "opt/nvidia/lib" / LIBRARY).touch()

    assert tmp_path / "opt/nvidia/lib" / LIBRARY == find_library(tmp_path, "")


def test_the_environment_is_first(tmp_path: Path) -> None:
    for directory in ("mine", "usr/lib64"):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / LIBRARY).touch()

    found = find_library(tmp_path, f":{tmp_path / 'nowhere'}:{tmp_path / 'mine'}")

    assert tmp_path / "mine" / LIBRARY == found
