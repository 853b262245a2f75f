"""The model as JSON and back: the format of the store, of recordings and of replay.

A dataclass becomes an object with its class name under "type"; everything else is what
JSON has. Reading is strict: a missing, unknown or wrongly typed field is a CodecError that
names its place, never a half-read value.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

T = TypeVar("T")


class CodecError(ValueError):
    """A JSON text that does not fit the model; the message says where and why."""


def to_json(value: object) -> str:
    """One line of JSON; equal values give equal bytes."""
    return json.dumps(_encode(value), separators=(",", ":"), ensure_ascii=False)


def from_json(text: str, expected: type[T], *, lenient: bool = False) -> T:
    """The value of the expected class in this JSON text, or CodecError.

    `lenient`: a missing field has its default, for what an older version wrote.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"not JSON: {error}") from error
    return typing.cast(T, decode(raw, expected, "$", lenient=lenient))


def _encode(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


def decode(raw: Any, expected: Any, place: str, *, lenient: bool = False) -> Any:
    """`raw` (what json.loads gives) as a value of the type `expected`; `place` names it."""
    origin = get_origin(expected)
    if origin in (Union, types.UnionType):
        return _decode_union(raw, get_args(expected), place, lenient=lenient)
    if origin is Literal:
        if raw not in get_args(expected):
            raise CodecError(f"{place}: {raw!r} is not one of {get_args(expected)}")
        return raw
    if origin is tuple:
        if not isinstance(raw, list):
            raise CodecError(f"{place}: expected a list")
        item_type = get_args(expected)[0]
        return tuple(
            decode(item, item_type, f"{place}[{i}]", lenient=lenient) for i, item in enumerate(raw)
        )
    if origin is Mapping:
        return _decode_mapping(raw, get_args(expected), place, lenient=lenient)
    if dataclasses.is_dataclass(expected):
        return _decode_dataclass(raw, typing.cast(type, expected), place, lenient=lenient)
    if expected is int and isinstance(raw, bool):
        raise CodecError(f"{place}: expected int, found {raw!r}")
    if expected is type(None):
        expected = types.NoneType
    if not isinstance(raw, expected):
        raise CodecError(f"{place}: expected {expected.__name__}, found {raw!r}")
    return raw


def _decode_mapping(
    raw: Any, arguments: tuple[Any, Any], place: str, *, lenient: bool
) -> dict[Any, Any]:
    if not isinstance(raw, dict):
        raise CodecError(f"{place}: expected an object")
    key_type, item_type = arguments
    try:
        return {
            key_type(k): decode(v, item_type, f"{place}.{k}", lenient=lenient)
            for k, v in raw.items()
        }
    except ValueError as error:
        if isinstance(error, CodecError):
            raise
        raise CodecError(f"{place}: {error}") from error


def _decode_union(raw: Any, members: tuple[Any, ...], place: str, *, lenient: bool) -> Any:
    if raw is None and types.NoneType in members:
        return None
    tag = raw.get("type") if isinstance(raw, dict) else None
    for member in members:
        if dataclasses.is_dataclass(member) and getattr(member, "__name__", "") == tag:
            return decode(raw, member, place, lenient=lenient)
    plain = [m for m in members if m is not types.NoneType and not dataclasses.is_dataclass(m)]
    if len(plain) == 1:
        return decode(raw, plain[0], place, lenient=lenient)
    raise CodecError(f"{place}: no {tag!r} is known here")


def _decode_dataclass(raw: Any, expected: type, place: str, *, lenient: bool) -> Any:
    if not isinstance(raw, dict):
        raise CodecError(f"{place}: expected an object, found {raw!r}")
    if raw.get("type") != expected.__name__:
        raise CodecError(f"{place}: expected a {expected.__name__}, found {raw.get('type')!r}")
    hints = _hints(expected)
    if surplus := raw.keys() - hints.keys() - {"type"}:
        raise CodecError(f"{place}: unknown field {min(surplus)!r}")
    missing = hints.keys() - raw.keys()
    if missing := missing - _with_default(expected) if lenient else missing:
        raise CodecError(f"{place}: missing field {min(missing)!r}")
    return expected(
        **{
            name: decode(raw[name], hints[name], f"{place}.{name}", lenient=lenient)
            for name in hints
            if name in raw
        }
    )


def _with_default(dataclass_type: type) -> set[str]:
    nothing = dataclasses.MISSING
    return {
        field.name
        for field in dataclasses.fields(dataclass_type)
        if field.default is not nothing or field.default_factory is not nothing
    }


@functools.cache
def _hints(dataclass_type: type) -> dict[str, Any]:
    return typing.get_type_hints(dataclass_type)
