"""YAML read by a schema: what does not fit is told with file, line and key, all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import yaml

DEPTH_MAX = 20


class ConfigError(Exception):
    """Everything that is wrong with a configuration, one line each."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the lines: the caller prints them as they are."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Wrong(Exception):
    """A value that does not fit; the words say what would."""


class Reader:
    """Walks YAML nodes, which know their lines, and collects what is wrong."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []

    def compose(self, text: str) -> yaml.Node | None:
        """The document's root node; None for an empty file."""
        try:
            depth = 0
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                if isinstance(event, yaml.AliasEvent):
                    line = _line_of(event.start_mark)
                    raise ConfigError([f"{self.source}:{line}: aliases (*name) are not supported"])
                depth += isinstance(event, yaml.CollectionStartEvent)
                depth -= isinstance(event, yaml.CollectionEndEvent)
                if depth > DEPTH_MAX:
                    line = _line_of(event.start_mark)
                    raise ConfigError([f"{self.source}:{line}: nested too deeply"])
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = _line_of(error.problem_mark or error.context_mark)
            words = " ".join(filter(None, (error.context, error.problem)))
            raise ConfigError([f"{self.source}:{line}: not YAML: {words}"]) from error
        except yaml.YAMLError as error:
            words = " ".join(str(error).split())
            raise ConfigError([f"{self.source}:1: not YAML: {words}"]) from error

        # A file of nothing but `---` has a root: an empty scalar.
        empty = isinstance(root, yaml.ScalarNode) and root.value == ""
        return None if empty else root

    def complain(self, node: yaml.Node, key: str, words: str) -> None:
        """One line: file, line, key, what is wrong and what to do."""
        line = _line_of(node.start_mark)
        self.problems.append(f"{self.source}:{line}: {f'{key}: ' if key else ''}{words}")

    def section(self, node: yaml.Node, key: str, schema: Mapping[str, Parser]) -> dict[str, Any]:
        """A mapping whose keys the schema knows; wrong ones are complained of and left out."""
        if not isinstance(node, yaml.MappingNode):
            known = ", ".join(schema)
            self.complain(node, key, f"expected keys and values ({known}), found {kind_of(node)}")
            return {}
        values: dict[str, Any] = {}
        seen: set[str] = set()
        for key_node, value_node in node.value:
            name = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            place = f"{key}.{name}" if key else name
            if name not in schema:
                self.complain(key_node, place or key, _unknown(name, schema))
            elif name in seen:
                self.complain(key_node, place, "given twice")
            else:
                seen.add(name)
                try:
                    values[name] = schema[name](self, value_node, place)
                except Wrong as wrong:
                    self.complain(value_node, place, str(wrong))
        return values


Parser: TypeAlias = Callable[[Reader, yaml.Node, str], Any]


def kind_of(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "keys and values"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if node.tag == "tag:yaml.org,2002:null":
        return "nothing"
    return repr(node.value)


def scalar(node: yaml.Node, wanted: str) -> str:
    """The text as written: YAML's own idea of its type (on, 0123, 1:30) is not asked."""
    if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
        raise Wrong(f"expected {wanted}, found {kind_of(node)}")
    return str(node.value)


def _unknown(name: str, schema: Mapping[str, Parser]) -> str:
    alike = difflib.get_close_matches(name, schema, n=1)
    hint = f"did you mean {alike[0]}?" if alike else f"known here: {', '.join(schema)}"
    return f"unknown key; {hint}"


def _line_of(mark: Any) -> int:
    """Marks count from 0, people from 1."""
    return mark.line + 1 if mark else 1


# --- parsers of single values that more than one schema has -----------------------------------


def text(_reader: Reader, node: yaml.Node, _key: str) -> str:
    return scalar(node, "a text")


def boolean(_reader: Reader, node: yaml.Node, _key: str) -> bool:
    value = scalar(node, "true or false")
    if value not in ("true", "false"):
        raise Wrong(f"expected true or false, found {value!r}")
    return value == "true"


def nested(schema: Mapping[str, Parser]) -> Parser:
    return lambda reader, node, key: reader.section(node, key, schema)


def list_of(parse_item: Parser, items_max: int) -> Parser:
    def parse(reader: Reader, node: yaml.Node, key: str) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise Wrong(f"expected a list, found {kind_of(node)}")
        if len(node.value) > items_max:
            raise Wrong(f"at most {items_max} here, found {len(node.value)}")
        return tuple(parse_item(reader, item, key) for item in node.value)

    return parse
