"""Parsers of single values of the configuration: what fits, and the words where it does not."""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml

from agent.durations import nanoseconds
from agent.yaml_reader import Parser, Reader, Wrong, scalar

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def choice(*choices: str) -> Parser:
    def parse_choice(_reader: Reader, node: yaml.Node, _key: str) -> str:
        wanted = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
        value = scalar(node, wanted)
        if value not in choices:
            raise Wrong(f"expected {wanted}, found {value!r}")
        return value

    return parse_choice


def pattern(pattern: str, wanted: str) -> Parser:
    expression = re.compile(pattern)

    def parse_pattern(_reader: Reader, node: yaml.Node, _key: str) -> str:
        value = scalar(node, wanted)
        if not expression.fullmatch(value):
            raise Wrong(f"expected {wanted}, found {value!r}")
        return value

    return parse_pattern


def lowered(parser: Parser) -> Parser:
    """The kernel writes MACs and USB ids in lower case; people write them as they like."""
    return lambda reader, node, key: parser(reader, node, key).lower()


def whole_number(least: int, most: int, unit: str) -> Parser:
    def parse_number(_reader: Reader, node: yaml.Node, _key: str) -> int:
        wanted = f"a whole number of {unit} from {least} to {most}"
        value = scalar(node, wanted)
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise Wrong(f"expected {wanted}, found {value!r}")
        return int(value)

    return parse_number


def duration(least: str, most: str) -> Parser:
    return _quantity("a duration like 500ms, 10s, 5m or 2h", nanoseconds, least, most)


def size(least: str, most: str) -> Parser:
    return _quantity("a size like 512Mi or 2Gi", _bytes, least, most)


def _quantity(what: str, read: Callable[[str], int | None], least: str, most: str) -> Parser:
    def parse_quantity(_reader: Reader, node: yaml.Node, _key: str) -> int:
        wanted = f"{what}, from {least} to {most}"
        value = scalar(node, wanted)
        found = read(value)
        if found is None or not (read(least) or 0) <= found <= (read(most) or 0):
            raise Wrong(f"expected {wanted}, found {value!r}")
        return found

    return parse_quantity


def _bytes(text: str) -> int | None:
    """What Kubernetes writes: a whole number and a binary unit; a plain 0 needs none."""
    found = re.fullmatch(r"([0-9]{1,9})(Ki|Mi|Gi|Ti)", text)
    if found is None:
        return 0 if text == "0" else None
    return int(found[1]) * _UNITS[found[2]]


def absolute_path(_reader: Reader, node: yaml.Node, _key: str) -> str:
    wanted = "an absolute path, e.g. /etc/nodemend/web.yaml"
    value = scalar(node, wanted)
    if not value.startswith("/") or "\0" in value:
        raise Wrong(f"expected {wanted}, found {value!r}")
    return value
