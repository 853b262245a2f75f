"""A library with NVML's ABI, played from a script, and how it is built and scripted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("nvml.c")
LIBRARY = "libnvidia-ml.so.1"
NO_COMPILER = "the NVML double needs a C compiler: apt-get install gcc libc6-dev"

# What each driver's library exports (shared facts of nvitop PR 89 and 94, and nvml.h).
ABIS: Mapping[str, tuple[str, ...]] = {
    "current": ("V2=1", "V3_BYTES=24", "CONF_COMPUTE=1", "DETAIL_LIST=1"),
    "535.43": ("V2=1", "V3_BYTES=32", "CONF_COMPUTE=1", "DETAIL_LIST=0"),
    "535.98": ("V2=1", "V3_BYTES=0", "CONF_COMPUTE=1", "DETAIL_LIST=0"),
    "495": ("V2=1", "V3_BYTES=0", "CONF_COMPUTE=0", "DETAIL_LIST=0"),
    "450": ("V2=0", "V3_BYTES=0", "CONF_COMPUTE=0", "DETAIL_LIST=0"),
}
T4_UUID = "GPU-3c9b1a52-7d0e-4b6f-9f5c-0c7c5f2ad1e4"
T4_MIB, T4_RESERVED_MIB = 15360, 448  # as nvidia-smi has it on a g4dn (k8s-test-infra, qx-t4.xml)
DRIVER = "535.247.01"


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


def build(directory: Path, abi: str = "current") -> Path:
    """The directory to put into LD_LIBRARY_PATH."""
    found = compiler()
    assert found is not None, NO_COMPILER
    directory.mkdir(parents=True, exist_ok=True)
    flags = ("-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{LIBRARY}")
    defines = (f"-D{define}" for define in ABIS[abi])
    subprocess.run(
        [found, *flags, *defines, str(SOURCE), "-o", str(directory / LIBRARY)],
        check=True,
        capture_output=True,
        text=True,
    )
    return directory


@dataclass
class Script:
    """What the library plays; each `write` is whole at once."""

    path: Path
    lines: list[str] = field(default_factory=list)

    def write(self, *lines: str) -> None:
        self.lines = list(lines)
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text("\n".join(lines) + "\n")
        new.replace(self.path)

    def add(self, *lines: str) -> None:
        self.write(*self.lines, *lines)

    def remove(self, line: str) -> None:
        self.write(*(each for each in self.lines if each != line))

    def environment(self, library: Path) -> dict[str, str]:
        return {**os.environ, "LD_LIBRARY_PATH": str(library), "NVML_DOUBLE": str(self.path)}


def t4(used_mib: int = 0, processes: Iterable[str] = (), driver: str = DRIVER) -> list[str]:
    """A Tesla T4 of driver 535 with 15,360 MiB."""
    return [
        f"driver {driver}",
        f"gpu {T4_UUID} {T4_MIB} {T4_RESERVED_MIB} {used_mib} Tesla T4",
        *processes,
    ]
