"""One look at the NICs: the daemon's own reading and deciding, once, without acting.

Asking for the links can hang for as long as somebody in the kernel holds RTNL. So it happens on
a thread of its own, which is left behind after a deadline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from agent import __version__
from agent.audit.answer import NotKnown
from agent.decide import decide
from agent.decide.adoption import PASSING_SECONDS
from agent.doctor.machine import Machine
from agent.model.facts import AdapterRead, Fact, LinksListed, Started, UplinksRead
from agent.model.identity import Stamp
from agent.model.outputs import Ask, ListLinks, Output, Question, ReadAdapter, ReadUplinks
from agent.model.policy import Policy
from agent.model.state import Nic, State
from agent.observe import clock
from agent.observe.hardware import Moved, read_adapter
from agent.observe.uplinks import read_uplinks

LOOK_SECONDS_MAX = 10.0
QUESTIONS_MAX = 4096
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Look:
    """What the daemon would know after its first look."""

    state: State
    unread: tuple[str, ...]  # in words, what could not be read

    @property
    def present(self) -> tuple[Nic, ...]:
        """The NICs that would be watched."""
        return tuple(nic for nic in self.state.nics.values() if nic.link is not None)


class Unseen(NotKnown):
    """There is no look; the words say why."""


def look(machine: Machine, policy: Policy) -> Look:
    """Ask for the links, the hardware behind them and where they lead. Unseen."""
    answers: SimpleQueue[Look | Unseen] = SimpleQueue()
    Thread(target=_look_into, args=(machine, policy, answers), name="look", daemon=True).start()
    try:
        found = answers.get(timeout=LOOK_SECONDS_MAX)
    except Empty:
        raise Unseen(
            f"the kernel did not answer within {LOOK_SECONDS_MAX:.0f} s: something holds its "
            "lock on the network's configuration (RTNL)"
        ) from None
    if isinstance(found, Unseen):
        raise found
    return found


def _look_into(machine: Machine, policy: Policy, answers: SimpleQueue[Look | Unseen]) -> None:
    try:
        answers.put(_watch(machine, policy))
    except Unseen as unseen:
        answers.put(unseen)
    except Exception as error:  # noqa: BLE001  it must answer, whatever the machine is like
        answers.put(Unseen(f"{type(error).__name__}: {error}"))


def _watch(machine: Machine, policy: Policy) -> Look:
    at = clock.now()
    state, outputs = decide(State(), Started(at, __version__, "", None, ()), policy)
    questions = deque(_questions(outputs))
    unread: list[str] = []
    for _ in range(QUESTIONS_MAX):
        if not questions:
            break
        # What has just appeared is not judged yet; nothing that is here has just appeared.
        later_ns = PASSING_SECONDS * _SECOND_NS
        at = Stamp(at.boottime_ns + later_ns, at.wall_ns + later_ns)
        try:
            fact = _answer(machine, questions.popleft(), at)
        except (OSError, ValueError, Moved) as error:
            unread.append(str(error))
            continue
        if fact is not None:
            state, outputs = decide(state, fact, policy)
            questions.extend(_questions(outputs))
    return Look(state, tuple(unread))


def _questions(outputs: tuple[Output, ...]) -> list[Question]:
    return [output.question for output in outputs if isinstance(output, Ask)]


def _answer(machine: Machine, question: Question, at: Stamp) -> Fact | None:
    match question:
        case ListLinks(number):
            if machine.list_links is None:
                raise Unseen("only the machine that runs can be asked for its links")
            try:
                return LinksListed(at, number, machine.list_links())
            except OSError as error:
                raise Unseen(f"the kernel did not list its links: {error}") from error
        case ReadAdapter(ifindex, device):
            return AdapterRead(at, ifindex, read_adapter(ifindex, device, machine.path("sys")))
        case ReadUplinks():
            return UplinksRead(at, read_uplinks(machine.root))
        case _:
            return None  # speed, counters, the gateway: how a NIC fares is the daemon's to say
