"""Health: a table of checks, each with the state that it speaks for and its evidence in words.

The worst state wins. Each check sees one NIC and nothing else, and answers with a sentence, or
None: what is not known speaks for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from agent.decide import addressing, reach
from agent.decide.carrier import carries, is_down
from agent.decide.decision import SECOND_NS, Decision, NicDecision
from agent.decide.kernel_log import came_last
from agent.decide.links import look_after
from agent.decide.matching import is_usb
from agent.decide.outage import account
from agent.decide.own_doing import is_own_doing
from agent.decide.r8152 import is_on_generic_driver
from agent.model import verdicts
from agent.model.identity import Stamp
from agent.model.kernel_log import KernelClass
from agent.model.outputs import Output, Tell
from agent.model.policy import Policy
from agent.model.state import HEALTH_STATES, Health, HealthState, Nic, State

TX_TIMEOUT_SECONDS = 30
ERRORS_SECONDS = 60
# A NIC that goes is set down first, one that comes is down first, and a carrier that comes has no
# speed yet: what may pass within a moment is in the metrics at once, and told once it stays.
PASSING_STATES: tuple[HealthState, ...] = ("disabled", "down", "healthy")
SETTLE_SECONDS = 1
LEAVE_SECONDS = 3  # from being set down to being gone: on a busy node unregistering takes its time
CONTROL_ERROR_SECONDS = 60

_BEST = HEALTH_STATES[-1]
_SUPERSPEED_BITS = 5_000_000_000
_MEGABIT = 1_000_000
_KERNEL_NAME = re.compile(r"(eth|usb)[0-9]+")
_RANDOM_MAC = 1  # NET_ADDR_RANDOM, linux/netdevice.h
_NEW_BIND: tuple[KernelClass, ...] = ("usb_reset", "usb_connect", "usb_disconnect", "driver_bound")


@dataclass(frozen=True)
class Check:
    """One way to be in a state."""

    state: HealthState
    name: str
    evidence: Callable[[Nic, Policy, Stamp], str | None]


def judge_all(
    before: State, after: State, policy: Policy, at: Stamp, *, time_passed: bool
) -> Decision:
    """Judge what a fact has changed; everything, as time passes and with the first full look."""
    if not after.watch_told:
        return after, ()
    everything = time_passed or not before.watch_told

    def judge(nic: Nic) -> NicDecision:
        return _judge(account(nic, at), policy, at)

    return look_after(before, after, judge, everything=everything)


def _judge(nic: Nic, policy: Policy, at: Stamp) -> NicDecision:
    if nic.link is not None and not nic.confirmed:
        return nic, ()
    before = nic.senses.health
    if before is None and not reach.is_judged(nic, policy):
        return nic, ()
    found = [(check, check.evidence(nic, policy, at)) for check in CHECKS]
    speaking = [(check, words) for check, words in found if words is not None]
    states = {check.state for check, _ in speaking}
    state = next((state for state in HEALTH_STATES if state in states), _BEST)
    health = Health(
        state=state,
        checks=tuple(check.name for check, _ in speaking if check.state == state),
        evidence=tuple(words for _, words in speaking),
        since=before.since if before is not None and before.state == state else at,
        speaking=tuple(check.name for check, _ in speaking),
        told_state=before.told_state if before else None,
        told_checks=before.told_checks if before else (),
    )
    outputs: tuple[Output, ...] = ()
    if not is_own_doing(nic) and _is_news(health, at):
        outputs = (Tell(_verdict(nic, health)),)
        health = replace(health, told_state=health.state, told_checks=health.checks)
    if health == before:
        return nic, outputs
    return replace(nic, senses=replace(nic.senses, health=health)), outputs


def _is_news(health: Health, at: Stamp) -> bool:
    """Whether people were told something else last, and it is more than a moment's state."""
    if (health.told_state, health.told_checks) == (health.state, health.checks):
        return False
    passing = health.state in PASSING_STATES
    seconds = LEAVE_SECONDS if health.state == "disabled" else SETTLE_SECONDS
    settling = passing and _recent(health.since.boottime_ns, seconds, at)
    return health.told_state is None or not settling


def _verdict(nic: Nic, health: Health) -> _Judged:
    device = nic.link.device if nic.link else "no interface"
    said = health.told_state or "unknown"
    return _VERDICTS[health.state](nic.nic, device, said, health.evidence)


# --- the checks ------------------------------------------------------------------------------


def _gone(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    if nic.link is not None:
        return None
    error = came_last(nic, "enumeration_error", "usb_connect", "driver_bound")
    died = came_last(nic, "controller_died", "usb_connect", "driver_bound")
    probe = came_last(nic, "probe_failed", "usb_connect", "driver_bound")
    last = died or error or probe or came_last(nic, "usb_disconnect", "usb_connect")
    said = f'; the kernel said last: "{last.text}"' if last else ""
    return f"there is no network interface at {nic.adapter.connector}{said}"


def _disabled(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    return "it is administratively down" if nic.link and not nic.link.admin_up else None


def _no_carrier(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    return "it is set up and has no carrier" if nic.link and is_down(nic.link) else None


def _gave_up(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    seen = came_last(nic, "gave_up", *_NEW_BIND)
    if nic.link is None or seen is None:
        return None  # without a carrier it is as dead: setting such a link down and up takes that
    return f'its driver gave up, and was not reset or bound since: "{seen.text}"'


def _tx_timeout(nic: Nic, _policy: Policy, at: Stamp) -> str | None:
    if not carries(nic) or not _recent(nic.senses.tx_timeout_ns, TX_TIMEOUT_SECONDS, at):
        return None
    return "the kernel's transmit watchdog fired: a packet was never sent (tx_timeout rises)"


def _silence(nic: Nic, policy: Policy, _at: Stamp) -> str | None:
    return reach.silence_in_words(nic, policy) if carries(nic) else None


def _flapping(nic: Nic, policy: Policy, at: Stamp) -> str | None:
    since_ns = at.boottime_ns - policy.flapping.within_ns
    flaps = sum(1 for time_ns in nic.flap_times_ns if time_ns > since_ns)
    if flaps < policy.flapping.count:
        return None
    seconds = policy.flapping.within_ns // SECOND_NS
    return f"{flaps} flaps within {seconds} s"


def _slow_link(nic: Nic, policy: Policy, _at: Stamp) -> str | None:
    speed, expected = nic.speed_bits, policy.expect_speed_bits
    if nic.link is None or speed is None or expected is None or speed >= expected:
        return None
    return f"the link runs at {speed // _MEGABIT} Mb/s, expected are {expected // _MEGABIT}"


def _usb2(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    speed_bits = nic.adapter.usb_speed_bits
    if nic.link is None or not 0 < speed_bits < _SUPERSPEED_BITS:
        return None
    slow = came_last(nic, "usb_slow", "usb_disconnect")
    if nic.best_usb_speed_bits < _SUPERSPEED_BITS and slow is None:
        return None
    return f"it fell back to USB 2: {speed_bits // _MEGABIT} Mb/s on the bus"


def _wrong_driver(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    if nic.link is None or not is_on_generic_driver(nic.adapter):
        return None
    missing = "no word of the link in the kernel's log, no EEE, no resets of its own"
    return f"driver {nic.adapter.driver} is bound where r8152 belongs: {missing}"


def _lost_name(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    # A name of the kernel's own making is what is left where udev made none (systemd#33104).
    if nic.link is None or not _KERNEL_NAME.fullmatch(nic.link.device):
        return None
    if not nic.device_known or _KERNEL_NAME.fullmatch(nic.device_known):
        return None
    return (
        f"it is called {nic.link.device}, and was {nic.device_known}: what the node's network "
        "configuration has for that name does not reach it"
    )


def _random_mac(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    if nic.link is None or not is_usb(nic.adapter) or nic.adapter.mac_assignment != _RANDOM_MAC:
        return None
    return f"its MAC {nic.link.mac} is made up: the adapter could not read its own"


def _interrupt_stopped(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    seen = came_last(nic, "interrupt_stopped", *_NEW_BIND)
    if nic.link is None or seen is None:
        return None
    return f'its driver hears no more of link changes, the carrier may lie: "{seen.text}"'


def _control_errors(nic: Nic, _policy: Policy, at: Stamp) -> str | None:
    seen = came_last(nic, "control_error", "usb_reset", "usb_disconnect", "driver_bound")
    if nic.link is None or seen is None:
        return None
    if not _recent(seen.boottime_ns, CONTROL_ERROR_SECONDS, at):
        return None
    return f'its registers cannot be read: "{seen.text}"'


def _speed_unanswered(nic: Nic, _policy: Policy, _at: Stamp) -> str | None:
    if not nic.senses.speed_unanswered:
        return None
    return "asked for the link's speed, the driver did not answer: control transfers fail or hang"


def _errors(nic: Nic, _policy: Policy, at: Stamp) -> str | None:
    return nic.senses.errors_words if _recent(nic.senses.errors_ns, ERRORS_SECONDS, at) else None


def _recent(time_ns: int | None, seconds: int, at: Stamp) -> bool:
    return time_ns is not None and at.boottime_ns - time_ns < seconds * SECOND_NS


CHECKS: tuple[Check, ...] = (
    Check("gone", "missing", _gone),
    Check("disabled", "admin_down", _disabled),
    Check("down", "no_carrier", _no_carrier),
    Check("wedged", "driver_gave_up", _gave_up),
    Check("wedged", "tx_timeout", _tx_timeout),
    Check("wedged", "silence", _silence),
    Check("wedged", "unconfigured", addressing.unconfigured),
    Check("wedged", "unaddressed", addressing.unaddressed),
    Check("wedged", "unrouted", addressing.unrouted),
    Check("flapping", "flapping", _flapping),
    Check("degraded", "slow_link", _slow_link),
    Check("degraded", "usb2", _usb2),
    Check("degraded", "wrong_driver", _wrong_driver),
    Check("degraded", "lost_name", _lost_name),
    Check("degraded", "random_mac", _random_mac),
    Check("degraded", "interrupt_stopped", _interrupt_stopped),
    Check("degraded", "control_errors", _control_errors),
    Check("degraded", "speed_unanswered", _speed_unanswered),
    Check("degraded", "errors", _errors),
)

_Judged: TypeAlias = (
    verdicts.NicGone
    | verdicts.NicDisabled
    | verdicts.NicDown
    | verdicts.NicWedged
    | verdicts.NicFlapping
    | verdicts.NicDegraded
    | verdicts.NicHealthy
)
_VERDICTS: dict[HealthState, Callable[[str, str, str, tuple[str, ...]], _Judged]] = {
    "gone": verdicts.NicGone,
    "disabled": verdicts.NicDisabled,
    "down": verdicts.NicDown,
    "wedged": verdicts.NicWedged,
    "flapping": verdicts.NicFlapping,
    "degraded": verdicts.NicDegraded,
    "healthy": verdicts.NicHealthy,
}
