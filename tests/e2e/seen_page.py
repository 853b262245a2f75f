"""A page of what was seen, written at the end of a session in which all of it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def collected(
    page: Path, as_markdown: Callable[[dict[tuple[str, str], T]], str | None]
) -> Iterator[dict[tuple[str, str], T]]:
    """What tests put in, by what it was and on which release; `as_markdown`: None, not all yet."""
    seen: dict[tuple[str, str], T] = {}
    yield seen
    text = as_markdown(seen)
    if text is not None:
        page.write_text(text, encoding="utf-8")
