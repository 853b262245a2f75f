"""systemd's settings: which file, which line holds (systemd.syntax(7), systemd-analyze(1))."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.audit.settings import is_off, is_on, last, merged, parse
from tests.unit.doctor.node import Node

NAME = "networkd.conf"
KEY = "ManageForeignRoutes"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def value(node: Node) -> str | None:
    found = last(merged(node.machine(), NAME), "Network", KEY)
    return found.value if found else None


def test_comments_sections_and_continued_lines() -> None:
    text = "# a=1\n;b=2\nc=3\n[One]\n d = 4 5\\\n# no part of it\n 6\nno assignment\n[Two]\ne=\n"

    found = [(s.line, s.section, s.key, s.value) for s in parse(text, Path("x"))]

    assert [(3, "", "c", "3"), (5, "One", "d", "4 5  6"), (10, "Two", "e", "")] == found


def test_drop_ins_come_after_the_main_file_by_name_whatever_their_directory(node: Node) -> None:
    node.write(f"etc/systemd/{NAME}", f"[Network]\n{KEY}=main\n")
    assert "main" == value(node)

    node.write(f"etc/systemd/{NAME}.d/10-a.conf", f"[Network]\n{KEY}=first\n")
    node.write(f"usr/lib/systemd/{NAME}.d/20-b.conf", f"[Network]\n{KEY}=second\n")
    node.write(f"usr/lib/systemd/{NAME}.d/30-c.txt", f"[Network]\n{KEY}=no conf\n")
    assert "second" == value(node)


def test_a_stronger_directory_hides_files_of_the_same_name(node: Node) -> None:
    node.write(f"usr/lib/systemd/{NAME}", f"[Network]\n{KEY}=vendor\n")
    node.write(f"run/systemd/{NAME}", f"[Network]\n{KEY}=runtime\n")
    assert "runtime" == value(node)

    node.write(f"usr/lib/systemd/{NAME}.d/10-a.conf", f"[Network]\n{KEY}=vendor\n")
    node.write(f"run/systemd/{NAME}.d/10-a.conf", f"[Network]\n{KEY}=drop-in\n")
    assert "drop-in" == value(node)

    node.link(f"etc/systemd/{NAME}.d/10-a.conf", "/dev/null")
    assert "runtime" == value(node)


@pytest.mark.parametrize(
    ("lines", "off", "on"),
    [
        ("", False, False),
        ("K=no", True, False),
        ("K=False", True, False),
        ("K=1", False, True),
        ("K=no\nK=yes", False, True),
        ("K=no\nK=perhaps", True, False),
        ("[Other]\nK=no", False, False),
    ],
)
def test_what_is_no_truth_value_is_ignored(lines: str, off: bool, on: bool) -> None:
    settings = tuple(parse(f"[Section]\n{lines}\n", Path("x")))

    assert (off, on) == (is_off(settings, "Section", "K"), is_on(settings, "Section", "K"))
