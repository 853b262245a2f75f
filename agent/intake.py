"""All that facts come from but time and deeds: event sockets, the kernel's log, questions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agent.model.facts import Fact, ReadFailed
from agent.model.outputs import FollowKernelLog, Question, ReopenLinkEvents
from agent.observe import clock
from agent.observe.inquiry import Inquiry
from agent.observe.kernel_log import KernelLog
from agent.observe.network import NetworkEvents
from agent.observe.networkd import NetworkdWatch
from agent.observe.rtnetlink import LinkEvents


class Inbox:
    """Answers from other threads, which wait here until the loop takes them in."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """`ring` tells the loop, from any thread."""
        self._ring = ring
        self.facts: deque[Fact] = deque()

    def deliver(self, fact: Fact) -> None:
        """From any thread. Bounded, since each answer has a question (inquiry.QUESTIONS_MAX)."""
        self.facts.append(fact)
        self._ring()


class Intake:
    """Never blocks its caller."""

    def __init__(self, inbox: Inbox) -> None:
        """Open the sockets; OSError."""
        self._inbox = inbox
        self._inquiry = Inquiry(inbox.deliver)
        self.links, self.network = LinkEvents(), NetworkEvents()
        self.kernel_log, self._networkd = KernelLog(), NetworkdWatch()

    def ask(self, question: Question) -> None:
        """Its answer comes as a fact."""
        match question:
            case FollowKernelLog(after_sequence):
                self.kernel_log.follow(after_sequence)
                if self.kernel_log.missing:
                    self._inbox.deliver(ReadFailed(clock.now(), question, self.kernel_log.missing))
            case ReopenLinkEvents(reason):
                for fact in self.links.reopen(reason):
                    self._inbox.deliver(fact)
            case _:
                self._inquiry.ask(question)

    def filenos(self) -> tuple[int | None, ...]:
        """For the selector; they change."""
        sources = (self.links, self.network, self.kernel_log, self._networkd)
        return tuple(source.fileno() for source in sources)

    def at_most_seconds(self) -> float:
        """How long the loop may sleep: not at all while answers are left over."""
        if self._inbox.facts:
            return 0.0
        return self.kernel_log.rest_seconds() or float("inf")

    def read(self) -> list[Fact]:
        """What has happened, in an order that keeps listings true.

        An answer in the inbox is younger than every event that the kernel sent before it. So
        the inbox is measured first, then the events are read to their end, and only then the
        answers count: a listing never meets news older than itself (decide/nic.py, rule 3).
        """
        answers = len(self._inbox.facts)
        facts, read_links = self.links.read()
        changes, read_network = self.network.read()
        facts += changes
        if read_links and read_network:
            facts += [self._inbox.facts.popleft() for _ in range(answers)]
        return [*facts, *self._networkd.read(), *self.kernel_log.read()]

    def check_deadline(self) -> str | None:
        """Give up on overdue questions; words about one that hangs, if any."""
        return self._inquiry.check_deadline()

    def close(self) -> None:
        """Release what is held."""
        for source in (self._inquiry, self.links, self.network, self._networkd, self.kernel_log):
            source.close()
