"""A row in a table of checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent.audit.answer import Answer, NotKnown, unknown

APPLY = "nodemend cni apply"  # the cure for most of what is found

T = TypeVar("T")


@dataclass(frozen=True)
class Check(Generic[T]):
    """A question that has a wrong answer. `find` may raise NotKnown, and what reading raises."""

    name: str
    fine_when: str  # for the docs
    why: str
    find: Callable[[T], Answer]


def answer_of(check: Check[T], about: T, *, is_root: bool) -> Answer:
    """What cannot be read is unknown, and a mistake of our own is no problem of the host's."""
    try:
        return check.find(about)
    except NotKnown as reason:
        return unknown(str(reason))
    except OSError as error:
        return unknown(in_words(error, is_root=is_root))
    except Exception as error:  # noqa: BLE001  one check that fails must not hide the others
        return unknown(f"the check failed: {type(error).__name__}: {error}")


def in_words(error: OSError, *, is_root: bool) -> str:
    as_root = "" if is_root else "; try as root"
    return f"{error.filename or 'reading'}: {error.strerror or error}{as_root}"
