"""Puts the doctor into one file that runs wherever Python does: `make doctor-file`."""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipapp
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "dist/nodemend-doctor.pyz"
# The room itself, and the package that it is in.
PARTS = ("agent/__init__.py", "agent/audit")
_MAIN = """\
import sys

if sys.version_info < (3, 10):
    sys.exit("nodemend-doctor: needs Python 3.10 or later")
from agent.audit.__main__ import main

sys.exit(main())
"""


def build(target: Path) -> None:
    """Write the file, executable."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for part in PARTS:
            source, copy = ROOT / part, root / part
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)
        (root / "__main__.py").write_text(_MAIN, encoding="utf-8")
        zipapp.create_archive(root, target, "/usr/bin/env python3", compressed=True)


if __name__ == "__main__":
    build(TARGET)
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size // 1024 + 1} KiB\n")
