"""A page of what was seen, written once all of it was: in one session, or in several.

What a session saw is kept for the next one, by the product that it was seen of: on a small machine
the whole of it takes hours.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tests.lab import images

T = TypeVar("T")
Key = tuple[str, ...]


def collected(
    page: Path, kind: Callable[..., T], as_markdown: Callable[[dict[Any, T]], str | None]
) -> Iterator[dict[Any, T]]:
    """What tests put in, by what it was and where; `as_markdown` says None: not all of it yet."""
    seen: dict[Any, T] = {}
    yield seen
    if not seen:
        return
    images.ARTEFACTS.mkdir(exist_ok=True)
    kept = images.ARTEFACTS / f"{page.stem}-{images.product_digest()[:16]}.json"
    with kept.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the other release may be another process's
        file.seek(0)
        whole = {**_loaded(file.read(), kind), **seen}
        file.truncate(0)
        file.write(_dumped(whole))
    text = as_markdown(whole)
    if text is not None:
        page.write_text(text, encoding="utf-8")


def _loaded(text: str, kind: Callable[..., T]) -> dict[Any, T]:
    rows = json.loads(text) if text else []
    return {_tuples(key): kind(**{k: _tuples(v) for k, v in found.items()}) for key, found in rows}


def _dumped(seen: dict[Any, Any]) -> str:
    return json.dumps([[key, dataclasses.asdict(found)] for key, found in seen.items()])


def _tuples(value: Any) -> Any:
    """As dataclasses have them, where JSON has lists."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
