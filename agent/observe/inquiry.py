"""Answers questions (Ask) in one worker thread, each with a deadline.

A kernel that holds RTNL blocks the asker inside send(), where no timeout reaches: then the
deadline passes, the loop is told so, and the thread is left to come back by itself. It is
never multiplied: a second asker would hang on the same lock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.background import Background
from agent.model.facts import AdapterRead, Fact, LinksListed, ReadFailed
from agent.model.outputs import ListLinks, Question, ReadAdapter
from agent.observe import clock, rtnetlink, usb

DEADLINE_SECONDS = 10.0
QUESTIONS_MAX = 64


class Inquiry:
    """Takes questions; delivers each answer, or ReadFailed, as a fact from its own thread."""

    def __init__(self, deliver: Callable[[Fact], None], sysfs: Path = usb.SYSFS) -> None:
        """`deliver` must be safe to call from another thread."""
        self._deliver = deliver
        self._sysfs = sysfs
        self._current: Question | None = None
        self._given_up: Question | None = None
        self._worker = Background("inquiry", self._answer, QUESTIONS_MAX)

    def ask(self, question: Question) -> None:
        """Queue a question; a full queue is an answer, too."""
        if not self._worker.offer(question):
            reason = f"{QUESTIONS_MAX} questions are waiting already"
            self._deliver(ReadFailed(clock.now(), question, reason))

    def check_deadline(self) -> str | None:
        """Give up on an overdue question, once; words about the one that hangs, if any."""
        question = self._current
        if question is None or self._worker.busy_seconds() < DEADLINE_SECONDS:
            return None
        words = f"no answer within {DEADLINE_SECONDS:.0f} s: the kernel holds a lock (RTNL, sysfs)"
        if self._given_up is not question:
            self._given_up = question
            self._deliver(ReadFailed(clock.now(), question, words))
        return words

    def close(self) -> None:
        """End the worker; one that hangs is left behind."""
        self._worker.close(deadline_seconds=0.2)

    def _answer(self, question: Question) -> None:
        self._current = question
        try:
            fact = self._read(question)
        except Exception as error:  # noqa: BLE001  every question is answered, whatever happens
            fact = ReadFailed(clock.now(), question, str(error) or repr(error))
        finally:
            self._current = None
        self._deliver(fact)

    def _read(self, question: Question) -> Fact:
        match question:
            case ListLinks():
                links = rtnetlink.list_links(DEADLINE_SECONDS)
                physical = tuple(link for link in links if link.physical)
                return LinksListed(clock.now(), question.number, physical)
            case ReadAdapter():
                adapter, driver = usb.read_adapter(question.ifindex, question.device, self._sysfs)
                return AdapterRead(clock.now(), question.ifindex, adapter, driver)
