"""Rules and routes in `ip`'s words: by them the kernel's and networkd's are known for the same."""

from __future__ import annotations

MAIN = 254
IPV4, IPV6 = 2, 10
_TABLES = {255: "local", MAIN: "main", 253: "default"}
_SLASH_ALL = {IPV4: "/32", IPV6: "/128"}


def rule(
    *, priority: int, source: str, destination: str, mark: int, mask: int, table: int, family: int
) -> str:
    """`source`, `destination`: "" for all. `mark`: 0 for none."""
    parts = [f"{priority}: from {source or 'all'}"]
    parts += [f"to {destination}"] if destination else []
    parts += [f"fwmark {mark:#x}/{mask:#x}"] if mark else []
    parts.append(f"lookup {_TABLES.get(table, table)}")
    return " ".join([*parts, *_family(family)])


def route(
    *, kind: str, destination: str, gateway: str, device: str, table: int, metric: int, family: int
) -> str:
    """`destination`: with its length, or "default"."""
    parts = [kind] if kind != "unicast" else []
    parts.append(destination.removesuffix(_SLASH_ALL[family]))
    parts += [f"via {gateway}"] if gateway else []
    parts += [f"dev {device}"] if device else []
    parts += [f"table {_TABLES.get(table, table)}"] if table != MAIN else []
    parts += [f"metric {metric}"] if metric else []
    return " ".join([*parts, *(_family(family) if destination == "default" else ())])


def _family(family: int) -> tuple[str, ...]:
    return ("(IPv6)",) if family == IPV6 else ()
