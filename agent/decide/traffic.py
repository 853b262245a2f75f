"""What the traffic counters tell: transmit timeouts, and too many errors."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import reach
from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import CountersRead
from agent.model.identity import Counters, Stamp
from agent.model.outputs import Ask, ReadCounters, Wake
from agent.model.state import Nic, State

TOPIC = "counters"
PERIOD_SECONDS = 10
ERRORS_MIN = 10  # in one period; one or two mean nothing
ERRORS_PERCENT = 1


def wake(at: Stamp) -> Wake:
    """When the counters are due."""
    return Wake(at.boottime_ns + PERIOD_SECONDS * SECOND_NS, TOPIC)


def ask(state: State, at: Stamp) -> Decision:
    """The counters of every NIC that is there."""
    present = [nic.link for nic in state.nics.values() if nic.link is not None]
    questions = (Ask(ReadCounters(link.ifindex, link.device)) for link in present)
    return state, (wake(at), *questions)


def after_reading(nic: Nic, fact: CountersRead) -> Nic:
    """Compare with what was read before, of the same netdev."""
    before, now_ns = nic.senses.counters, fact.at.boottime_ns
    if before is not None and fact.counters.rx_packets > before.rx_packets:
        nic = reach.received(nic, nic.senses.counters_ns)
        nic = replace(nic, senses=replace(nic.senses, received_ns=now_ns))
    senses = replace(nic.senses, counters=fact.counters, counters_ns=now_ns)
    if before is not None and fact.counters.tx_timeouts > before.tx_timeouts:
        senses = replace(senses, tx_timeout_ns=now_ns)
    if senses.errors_from is None:
        senses = replace(senses, errors_from=fact.counters, errors_from_ns=now_ns)
    elif now_ns - senses.errors_from_ns >= PERIOD_SECONDS * SECOND_NS:
        seconds = (now_ns - senses.errors_from_ns) // SECOND_NS
        words = _errors_in_words(senses.errors_from, fact.counters, seconds)
        senses = replace(senses, errors_from=fact.counters, errors_from_ns=now_ns)
        if words:
            senses = replace(senses, errors_words=words, errors_ns=now_ns)
    return reach.after_counters(replace(nic, senses=senses), fact.counters)


def _errors_in_words(before: Counters, after: Counters, seconds: int) -> str | None:
    tx_errors = after.tx_errors - before.tx_errors
    rx_errors = after.rx_errors - before.rx_errors
    packets = after.tx_packets - before.tx_packets + after.rx_packets - before.rx_packets
    errors = tx_errors + rx_errors
    if errors < ERRORS_MIN or errors * 100 < (errors + packets) * ERRORS_PERCENT:
        return None
    return (
        f"{tx_errors} transmit and {rx_errors} receive errors beside {packets} packets "
        f"within {seconds} s"
    )
