"""What a check says: yes, no or unknown, in words, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Answer:
    """`words` say what was found; more than one line where several things were."""

    outcome: Outcome
    words: str
    to_do: str = ""


class NotKnown(Exception):
    """Nobody can say; the words say why."""


def yes(words: str) -> Answer:
    return Answer("yes", words)


def no(words: str, to_do: str) -> Answer:
    """A problem is told with its cure, or it is not told."""
    assert to_do
    return Answer("no", words, to_do)


def unknown(words: str, to_do: str = "") -> Answer:
    return Answer("unknown", words, to_do)
