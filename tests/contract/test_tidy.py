"""House rules that no linter knows, each a function, each shown something that it must find.

A rule takes a file and yields its findings. RULES says where it holds, and carries the snippet
that proves that it can fail at all.
"""

import ast
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70

# A name that says where something was put, not what it is.
DRAWERS = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}

# Word: what to write instead.
BANNED_WORDS = {
    "blacklist": "deny-list, or what is on it",
    "obviously": "nothing; it is not, to the one who reads the comment",
    "whitelist": "allow-list, or what is on it",
}

# Decisions are replayed byte for byte, so what they call must give the same answer every time.
# id() and hash() differ from process to process (PYTHONHASHSEED).
IMPURE_CALLS = {"__import__", "eval", "exec", "hash", "id", "input", "open", "print"}

# Made by tools, or not ours to word.
NOT_OURS = {"LICENSE"}
TOOLS_FOLDERS = {"__pycache__", "dist", "node_modules"}
TEXT_SUFFIXES = {".cfg", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}
TEXT_FILES = {".gitignore", "Makefile", "run"}
TEXT_FOLDERS = {"systemd"}


@dataclass(frozen=True)
class Source:
    """One file of the repository, by its path from the root."""

    path: Path
    text: str

    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))


def long_file(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{source.path}: {lines} lines, at most {FILE_LINES_MAX}: which second idea is in it?"


def long_function(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree()):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield (
                    f"{source.path}:{node.lineno}: {node.name} has {lines} lines,"
                    f" at most {FUNCTION_LINES_MAX}"
                )


def drawer(source: Source) -> Iterator[str]:
    for part in source.path.with_suffix("").parts:
        if found := DRAWERS & set(part.lower().split("_")):
            yield f"{source.path}: {found.pop()!r} says where it is put, not what it is"


def impure_call(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree()):
        if isinstance(node, ast.Name) and node.id in IMPURE_CALLS:
            yield f"{source.path}:{node.lineno}: {node.id} has no place in a decision"


def global_state(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree()):
        if isinstance(node, ast.Global):
            yield f"{source.path}:{node.lineno}: state is passed and returned, never global"


def banned_word(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        for word, instead in BANNED_WORDS.items():
            if re.search(rf"\b{word}\b", line, re.IGNORECASE):
                yield f"{source.path}:{number}: {word!r}; write instead: {instead}"


def control_character(source: Source) -> Iterator[str]:
    tabs = "\t" if source.path.name == "Makefile" else ""
    for number, line in enumerate(source.text.split("\n"), start=1):
        for character in line:
            if not character.isprintable() and character not in tabs:
                yield f"{source.path}:{number}: holds the invisible character {character!r}"


def ragged_end(source: Source) -> Iterator[str]:
    if source.text and (not source.text.endswith("\n") or source.text.endswith("\n\n")):
        yield f"{source.path}: ends with one newline, no less and no more"


@dataclass(frozen=True)
class Rule:
    """A rule, the files it holds for (a prefix of their paths), and what it must find."""

    find: Callable[[Source], Iterator[str]]
    below: str
    bad_path: str
    bad_text: str


RULES = [
    Rule(long_file, "agent/", "agent/x.py", "x = 1\n" * (FILE_LINES_MAX + 1)),
    Rule(long_function, "agent/", "agent/x.py", "def x():\n" + "    y()\n" * FUNCTION_LINES_MAX),
    Rule(drawer, "agent/", "agent/usb_utils.py", ""),
    Rule(drawer, "agent/", "agent/helpers/usb.py", ""),
    Rule(impure_call, "agent/decide/", "agent/decide/x.py", "text = open('/etc/fstab').read()\n"),
    Rule(impure_call, "agent/decide/", "agent/decide/x.py", "names = sorted(rows, key=hash)\n"),
    Rule(global_state, "agent/decide/", "agent/decide/x.py", "def x():\n    global y\n"),
    Rule(banned_word, "agent/", "agent/x.py", "# The Whitelist of steps.\n"),
    Rule(control_character, "", "README.md", "one\u00a0two\n"),
    Rule(control_character, "", "agent/x.py", "\tx = 1\n"),
    Rule(control_character, "", "systemd/x.service", "[Unit]\r\n"),
    Rule(ragged_end, "", "README.md", "no newline"),
    Rule(ragged_end, "", "README.md", "two newlines\n\n"),
]


def repository() -> Iterator[Source]:
    """Yield every text file that a person wrote."""
    for folder, folders, files in os.walk(ROOT):
        hidden = {name for name in folders if name.startswith(".") and name != ".ci"}
        folders[:] = sorted(set(folders) - hidden - TOOLS_FOLDERS)
        for name in files:
            path = Path(folder, name)
            known = path.suffix in TEXT_SUFFIXES or name in TEXT_FILES
            if name not in NOT_OURS and (known or path.parent.name in TEXT_FOLDERS):
                yield Source(path.relative_to(ROOT), path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.find.__name__)
def test_rule_can_fail(rule: Rule) -> None:
    assert rule.bad_path.startswith(rule.below)

    assert list(rule.find(Source(Path(rule.bad_path), rule.bad_text)))


@pytest.mark.parametrize("find", dict.fromkeys(rule.find for rule in RULES))
def test_repository_obeys(find: Callable[[Source], Iterator[str]]) -> None:
    below = next(rule.below for rule in RULES if rule.find is find)
    suffix = ".py" if below.startswith("agent/") else ""
    sources = [
        source
        for source in repository()
        if str(source.path).startswith(below) and source.path.name.endswith(suffix)
    ]
    findings = [finding for source in sources for finding in find(source)]

    assert sources, f"nothing lies below {below}: is the rule's folder still right?"
    if findings:
        pytest.fail("\n".join(findings), pytrace=False)
