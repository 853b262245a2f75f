"""The alphabet of what can happen to a climb: each fault's coming and passing, answers, endings,
time, restarts, people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from agent.model.actions import ActionOutcome
from agent.model.facts import (
    ActionEnded,
    ConfigRead,
    PauseRequested,
    PlugRead,
    ReadFailed,
    ResumeRequested,
    SpeedRead,
    Stopping,
    TimeReached,
)
from agent.model.identity import UsbDevice
from agent.model.outputs import Probe, ReadPlug, ReadSpeed
from tests.builders import LINK, flapped, lost, returned
from tests.unit.decide.climbs import SERVER, Climbing
from tests.unit.decide.uplinks import GATEWAY

OTHER_MAC = "00:e0:4c:68:e8:c8"

Befall = Callable[[Climbing], None]
Possible = Callable[[Climbing], bool]


def _there(point: Climbing) -> bool:
    return point.is_there and point.nic.link is not None


def _up(point: Climbing) -> bool:
    return _there(point) and point.link.admin_up and point.link.carrier


def _away(point: Climbing) -> bool:
    return not point.is_there


def _always(_point: Climbing) -> bool:
    return True


@dataclass(frozen=True)
class Happening:
    """Something that may happen where it is possible."""

    befall: Befall
    possible: Possible = _always


# --- faults -----------------------------------------------------------------------------------


def _silence(point: Climbing) -> None:
    for _ in range(5):
        point.probed(GATEWAY, answered=False)
        point.count()


def _unaddressed(point: Climbing) -> None:
    point.routes(addressed=False)
    point.pass_seconds(15)


def _unconfigured(point: Climbing) -> None:
    point.routes(addressed=False, given_up=True)
    point.pass_seconds(3)


def _unrouted(point: Climbing) -> None:
    point.routes(routed=False)
    point.pass_seconds(10)


def _sends_nothing(point: Climbing) -> None:
    counters = point.nic.senses.counters
    point.count(tx_timeouts=1 + (counters.tx_timeouts if counters else 0))
    if counters is None:  # of a link that is new
        point.count(tx_timeouts=2)


def _read_with(point: Climbing, **changes: object) -> None:
    point.read(replace(point.adapter, **changes))  # type: ignore[arg-type]


def _on_driver(name: str, configuration: int, point: Climbing) -> None:
    interface = f"{point.adapter.usb_path}:{configuration}.0"
    point.read(replace(point.adapter, driver=name, interface=interface))


def _is_driver(name: str, point: Climbing) -> bool:
    return _there(point) and point.adapter.driver == name


# By the fault's name (decide/faults.py): how it comes.
COMES: Mapping[str, Happening] = {
    "missing": Happening(Climbing.depart, _there),
    "driver_dead": Happening(lambda p: p.log("gave_up"), _up),
    "transmit_hung": Happening(_sends_nothing, _up),
    "registers_dead": Happening(lambda p: p.log("control_error"), _there),
    "wrong_driver": Happening(partial(_on_driver, "cdc_ncm", 2), partial(_is_driver, "r8152")),
    "lost_name": Happening(lambda p: p.see(replace(p.link, device="eth0")), _up),
    "unconfigured": Happening(_unconfigured, _up),
    "unaddressed": Happening(_unaddressed, _up),
    "unrouted": Happening(_unrouted, _up),
    "carrier_lies": Happening(lambda p: p.log("interrupt_stopped"), _up),
    "silent": Happening(_silence, _up),
    "no_carrier": Happening(lambda p: p.see(lost(p.link)), _up),
    "slow_link": Happening(lambda p: p.take(SpeedRead(p.at, p.link.ifindex, 1_000_000_000)), _up),
    "usb2": Happening(partial(_read_with, usb_speed_bits=480_000_000), _there),
    "flapping": Happening(lambda p: p.see(flapped(p.link, 3)), _up),
}

# And how it passes by itself, or by somebody else.
PASSES: Mapping[str, Happening] = {
    "missing": Happening(Climbing.arrive, _away),
    "driver_dead": Happening(lambda p: p.log("usb_reset"), _there),
    "transmit_hung": Happening(lambda p: p.pass_seconds(30), _there),
    "registers_dead": Happening(lambda p: p.log("usb_reset"), _there),
    "wrong_driver": Happening(partial(_on_driver, "r8152", 1), partial(_is_driver, "cdc_ncm")),
    "lost_name": Happening(lambda p: p.see(replace(p.link, device=LINK.device)), _there),
    "unconfigured": Happening(Climbing.routes, _up),
    "unaddressed": Happening(Climbing.routes, _up),
    "unrouted": Happening(Climbing.routes, _up),
    "carrier_lies": Happening(lambda p: p.log("usb_reset"), _there),
    "silent": Happening(lambda p: p.probed(GATEWAY, answered=True), _up),
    "no_carrier": Happening(
        lambda p: p.see(returned(p.link)), lambda p: _there(p) and not p.link.carrier
    ),
    "slow_link": Happening(lambda p: p.take(SpeedRead(p.at, p.link.ifindex, 2_500_000_000)), _up),
    "usb2": Happening(partial(_read_with, usb_speed_bits=5_000_000_000), _there),
    "flapping": Happening(lambda p: p.pass_seconds(300), _there),
}

# --- answers ----------------------------------------------------------------------------------


def _asked(name: str) -> Possible:
    return lambda point: name in point.awaits


def _silent(target: str, point: Climbing) -> None:
    for _ in range(3):  # one lost answer is no silence
        point.probed(target, answered=False)


def _plug(point: Climbing, *, bound: bool) -> None:
    found = UsbDevice(
        usb_path=point.adapter.usb_path,
        device_number=point.adapter.device_number,
        vendor_id="0bda",
        product_id="8156",
        interfaces=(point.adapter.interface,),
        has_link=point.is_there,
        is_bound=bound,
    )
    point.take(PlugRead(point.at, point.nic.adapter.connector, found))


def _plug_with(point: Climbing, found: UsbDevice | None) -> None:
    point.take(PlugRead(point.at, point.nic.adapter.connector, found))


def _plug_failed(point: Climbing) -> None:
    adapter = point.nic.adapter
    question = ReadPlug(adapter.connector, adapter.usb_path, adapter.companion_path)
    point.take(ReadFailed(point.at, question, "no answer"))


def _not_probed(point: Climbing) -> None:
    question = Probe(point.link.ifindex, point.link.device, GATEWAY, 1)
    point.take(ReadFailed(point.at, question, "no answer"))


def _registers(point: Climbing, *, hung: bool) -> None:
    question = ReadSpeed(point.link.ifindex, point.link.device)
    point.take(ReadFailed(point.at, question, "no answer", hung))


DISK = UsbDevice("2-1", 9, "0781", "5581", ("2-1:1.0",), has_link=False)

ANSWERS: Mapping[str, Happening] = {
    "plug: it": Happening(lambda p: _plug(p, bound=p.is_there), _asked("plug")),
    "plug: it, bound elsewhere": Happening(
        lambda p: _plug(p, bound=True), lambda p: _asked("plug")(p) and not p.is_there
    ),
    "plug: nothing": Happening(lambda p: _plug_with(p, None), _asked("plug")),
    "plug: a disk": Happening(lambda p: _plug_with(p, DISK), _asked("plug")),
    "plug: unread": Happening(_plug_failed, _asked("plug")),
    "gateway: answers": Happening(lambda p: p.probed(GATEWAY, answered=True), _up),
    "gateway: silent": Happening(lambda p: _silent(GATEWAY, p), _asked("gateway")),
    "gateway: not asked": Happening(_not_probed, _asked("gateway")),
    "server: answers": Happening(lambda p: p.probed(SERVER, answered=True), _asked("witness")),
    "server: silent": Happening(lambda p: p.probed(SERVER, answered=False), _asked("witness")),
    "registers: answer": Happening(
        lambda p: p.take(SpeedRead(p.at, p.link.ifindex, 2_500_000_000)), _there
    ),
    "registers: hang": Happening(partial(_registers, hung=True), _asked("registers")),
    "registers: not asked": Happening(partial(_registers, hung=False), _asked("registers")),
}

# --- the actor, and time ----------------------------------------------------------------------


def _end(outcome: ActionOutcome, point: Climbing) -> None:
    action, point.action = point.action, None
    assert action is not None
    point.take(ActionEnded(point.at, action, outcome, "in words"))


def _acting(point: Climbing) -> bool:
    return point.action is not None


OUTCOMES: tuple[ActionOutcome, ...] = ("done", "failed", "refused", "busy", "timed_out")
ENDINGS: Mapping[str, Happening] = {
    f"action: {outcome}": Happening(partial(_end, outcome), _acting) for outcome in OUTCOMES
}


def next_wake(point: Climbing) -> None:
    """Nothing else happens until the climb's time has come."""
    climb = point.nic.climb
    assert climb is not None
    topic = min(point.wakes, key=lambda name: point.wakes[name], default="")
    due_ns = point.wakes.pop(topic, climb.due_ns)
    point.now_ns = max(point.now_ns, due_ns)
    point.take(TimeReached(point.at, topic or "probe"))


def _climbing(point: Climbing) -> bool:
    return point.nic.climb is not None


def _verifying(point: Climbing) -> bool:
    step = point.nic.step
    return step is not None and step.phase == "verifying"


TIME: Mapping[str, Happening] = {
    "time": Happening(next_wake, _climbing),
    "ten seconds": Happening(lambda p: p.pass_seconds(10), _verifying),
}

# --- the daemon's life, and people ------------------------------------------------------------


def _end_in_order(point: Climbing) -> None:
    """What is under way is taken back, if the world lets it."""
    point.action = None
    point.take(Stopping(point.at, "SIGTERM"))
    if point.action is not None:
        _end("done", point)
    point.restart()


def _reload(point: Climbing, **changes: object) -> None:
    policy = replace(point.policy, **changes)  # type: ignore[arg-type]
    point.take(ConfigRead(point.at, "config", "c.yaml", policy))


def _set(point: Climbing, *, up: bool) -> None:
    downs = int(not up and point.link.carrier)
    link = replace(
        point.link,
        admin_up=up,
        carrier=False,
        carrier_down_count=point.link.carrier_down_count + downs,
    )
    point.see(link)


RESTARTS: Mapping[str, Happening] = {
    "killed": Happening(Climbing.restart),
    "killed, and undone": Happening(partial(Climbing.restart, undone=True)),
    "ended": Happening(_end_in_order),
    "rebooted": Happening(partial(Climbing.restart, rebooted=True)),
}
PEOPLE: Mapping[str, Happening] = {
    "paused": Happening(
        lambda p: p.take(PauseRequested(p.at, 7 * 24 * 3600, "a new cable")),
        lambda p: p.state.pause is None,
    ),
    "resumed": Happening(lambda p: p.take(ResumeRequested(p.at))),
    "observe": Happening(partial(_reload, mode="observe"), lambda p: p.policy.mode == "remediate"),
    "remediate": Happening(
        partial(_reload, mode="remediate"), lambda p: p.policy.mode == "observe"
    ),
    "named no more": Happening(partial(_reload, match=()), lambda p: bool(p.policy.match)),
    "set down": Happening(partial(_set, up=False), lambda p: _there(p) and p.link.admin_up),
    "set up": Happening(partial(_set, up=True), lambda p: _there(p) and not p.link.admin_up),
}


def _another_adapter(point: Climbing) -> None:
    point.arrive(mac=OTHER_MAC if point.link.mac == LINK.mac else LINK.mac)


PLUGS: Mapping[str, Happening] = {
    "made anew": Happening(Climbing.arrive),
    "made anew, down": Happening(partial(Climbing.arrive, up=False)),
    "moved": Happening(partial(Climbing.arrive, moved=True)),
    "another adapter": Happening(_another_adapter),
}
