"""What the tests of actions share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.act.tree import Tree


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A USB NIC in its plug."""
    return Tree(tmp_path, monkeypatch)
