"""Daemons that end with their test."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import nvml_double
from tests.nvml_double import ABIS, Script
from tests.unit.process import Process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def run() -> Process:
        process = Process(tmp_path)
        started.append(process)
        process.wait_for_line("watches")
        return process

    yield run
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)
        with contextlib.suppress(AttributeError, ValueError):
            each.process.stderr.close()  # type: ignore[union-attr]


@pytest.fixture(scope="session")
def nvml_libraries(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """NVML's double with the functions of some driver, built once."""
    if nvml_double.compiler() is None:
        pytest.skip(nvml_double.NO_COMPILER)
    base = tmp_path_factory.mktemp("nvml")
    built = {abi: nvml_double.build(base / abi, abi) for abi in ABIS}
    return lambda abi: built[abi]


@pytest.fixture
def library(nvml_libraries: Callable[[str], Path]) -> Path:
    """The double of a present driver: the directory for LD_LIBRARY_PATH."""
    return nvml_libraries("current")


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """What it plays."""
    return Script(tmp_path / "nvml-script")
