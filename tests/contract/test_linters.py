"""The linters are tests: what they find fails `make test`, in their own words.

The second half proves that the configuration bites: each wall of the house, and each linter, is
shown something that it must refuse.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# mypy without its cache, on two busy cores, takes the longest.
pytestmark = [pytest.mark.allow_subprocess, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]

LINT_IMPORTS = "import importlinter.cli; importlinter.cli.lint_imports_command()"
LINTERS = {
    "ruff-check": ("-m", "ruff", "check", "--no-cache", "--output-format=concise"),
    "ruff-format": ("-m", "ruff", "format", "--no-cache", "--diff"),
    "mypy": ("-m", "mypy"),
    "lint-imports": ("-c", LINT_IMPORTS, "--no-logo", "--no-cache"),
}


def lint(name: str, *arguments: str, folder: Path = ROOT) -> str:
    """Return the linter's complaint, or nothing if it has none."""
    finished = subprocess.run(
        [sys.executable, *LINTERS[name], *arguments],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return finished.stdout.strip() or "no output" if finished.returncode else ""


@pytest.mark.parametrize("linter", LINTERS)
def test_finds_nothing(linter: str) -> None:
    if complaint := lint(linter):
        pytest.fail(f"{linter}:\n{complaint}", pytrace=False)


@pytest.mark.parametrize(
    ("linter", "snippet", "complaint"),
    [
        ("ruff-check", "import os\n", "F401"),
        ("ruff-check", "import time\n\ntime.sleep(1)\n", "TID251"),
        ("ruff-format", "x = {  }\n", "would be reformatted"),
        ("mypy", "def double(number):\n    return 2 * number\n", "no-untyped-def"),
    ],
)
def test_refuses_a_bad_file(linter: str, snippet: str, complaint: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(snippet, encoding="utf-8")
    setting = "--config-file" if linter == "mypy" else "--config"

    assert complaint in lint(linter, f"{setting}={ROOT / 'pyproject.toml'}", str(bad))


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of the package and its walls, to break something in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "agent", tmp_path / "agent")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("decide/breach.py", "import time"),
        ("decide/breach.py", "import random"),
        ("decide/breach.py", "import logging"),
        ("decide/breach.py", "import yaml"),
        ("decide/breach.py", "import agent.observe"),
        ("decide/breach.py", "import agent.config"),
        ("observe/breach.py", "import agent.act"),
        ("observe/breach.py", "import agent.decide"),
        ("act/breach.py", "import agent.report"),
        ("report/breach.py", "import agent.daemon"),
        ("model/breach.py", "import agent.store"),
        ("breach.py", "'A module that was given no floor.'"),
    ],
)
def test_each_wall_holds(house: Path, file: str, statement: str) -> None:
    (house / "agent" / file).write_text(f"{statement}\n", encoding="utf-8")

    assert "breach" in lint("lint-imports", folder=house)
