"""The ladder: the steps in their order, what each needs, and the action that it is.

By blast radius, and by whether the interface number survives, which Cilium holds on to. The table
is what docs/remediation.md is generated from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from agent.decide.faults import Fault
from agent.decide.r8152 import DRIVER, VENDOR_CONFIGURATION, is_on_generic_driver
from agent.model.actions import (
    Action,
    Authorize,
    BindDriver,
    BounceLink,
    CycleConfiguration,
    OnDevice,
    PowerCyclePort,
    PowerPortOn,
    RaiseLink,
    Reauthorize,
    RebindDriver,
    RenewAddresses,
    ResetDevice,
    RestoreName,
    SetConfiguration,
)
from agent.model.identity import UsbDevice
from agent.model.policy import Policy, StepName
from agent.model.state import Nic

PORT_OFF_SECONDS = 15  # 6 s did not help where 15 s did (F3)

Plug: TypeAlias = "UsbDevice | None"
Actions: TypeAlias = Callable[[OnDevice, Nic, Plug], "tuple[Action, Action | None] | None"]


@dataclass(frozen=True)
class Rung:
    """One step: `actions` gives it and its inverse, or None where it cannot be taken."""

    step: StepName
    keeps_ifindex: str
    verify_seconds: int  # a 2.5GBASE-T link takes up to 20 s to train
    what: str
    actions: Actions
    # What a step left off, the steps after it switch on as well; after the last one nobody does.
    undo_tries: int = 3


def _bounce(on: OnDevice, nic: Nic, _plug: Plug) -> tuple[Action, Action | None] | None:
    return (_as(BounceLink, on), _as(RaiseLink, on)) if nic.link is not None else None


def _name(on: OnDevice, nic: Nic, _plug: Plug) -> tuple[Action, Action | None] | None:
    if nic.link is None or not nic.device_known:
        return None
    return _as(RestoreName, on, name=nic.device_known), _as(RaiseLink, on)


def _renew(on: OnDevice, nic: Nic, _plug: Plug) -> tuple[Action, Action | None] | None:
    uplink = nic.senses.uplink
    if nic.link is None or uplink is None or uplink.network_service is None:
        return None
    return _as(RenewAddresses, on, network_service=uplink.network_service), None


def _reset(on: OnDevice, nic: Nic, plug: Plug) -> tuple[Action, Action | None] | None:
    return (_as(ResetDevice, on), None) if nic.link is not None and plug is not None else None


def _rebind(on: OnDevice, nic: Nic, plug: Plug) -> tuple[Action, Action | None] | None:
    driver, interface = nic.adapter.driver, _interface(nic, plug)
    if not driver or not interface:
        return None
    fields = {"driver": driver, "interface": interface}
    return _as(RebindDriver, on, **fields), _as(BindDriver, _without_link(on), **fields)


def _configured(kind: Callable[..., Action], inverse: Callable[..., Action]) -> Actions:
    """A step that ends with its own driver's configuration chosen, and what is left of it."""

    def actions(on: OnDevice, nic: Nic, plug: Plug) -> tuple[Action, Action | None] | None:
        found = _own_configuration(nic)
        if plug is None or found is None:
            return None
        configuration, driver = found
        left = _as(inverse, _without_link(on), configuration=configuration)
        return _as(kind, on, configuration=configuration, driver=driver), left

    return actions


_cycle = _configured(CycleConfiguration, SetConfiguration)
_reauthorize = _configured(Reauthorize, Authorize)


def _power(on: OnDevice, nic: Nic, _plug: Plug) -> tuple[Action, Action | None] | None:
    companion = nic.adapter.companion_path
    if not on.usb_path:
        return None
    cycle = _as(PowerCyclePort, on, companion_path=companion, off_seconds=PORT_OFF_SECONDS)
    # Off, the plug looks empty; what comes back is another device by number.
    empty = replace(_without_link(on), device_number=None)
    return cycle, _as(PowerPortOn, empty, companion_path=companion)


LADDER: tuple[Rung, ...] = (
    Rung("link_bounce", "yes", 30, "sets the link down and up", _bounce),
    Rung(
        "restore_name",
        "yes",
        45,
        "gives the link its name back, for networkd to see",
        _name,
    ),
    Rung("renew_addresses", "yes", 45, "has its configuration applied anew", _renew),
    Rung("usb_reset", "with r8152", 30, "resets the USB device where it is", _reset),
    Rung("driver_rebind", "no", 45, "takes the driver from the device and binds it", _rebind),
    Rung(
        "usb_config_cycle",
        "no",
        45,
        "leaves the USB configuration and chooses it anew",
        _cycle,
    ),
    Rung(
        "usb_reauthorize",
        "no",
        45,
        "deauthorises and authorises the device",
        _reauthorize,
    ),
    Rung("port_power", "no", 45, f"switches the plug off for {PORT_OFF_SECONDS} s", _power, 40),
)
BY_STEP: Mapping[str, Rung] = {rung.step: rung for rung in LADDER}


def next_rung(
    fault: Fault, tried: tuple[str, ...], nic: Nic, plug: Plug, policy: Policy
) -> tuple[Rung, Action, Action | None] | None:
    """The first rung that the fault may climb, is allowed, was not tried and can be taken."""
    for rung in LADDER:
        allowed = rung.step in fault.steps and rung.step in policy.remediation.steps
        if allowed and rung.step not in tried:
            actions = rung.actions(_evidence(rung.step, nic, plug), nic, plug)
            if actions is not None:
                action, inverse = actions
                undo = f"undo-{action.action_id}"
                return rung, action, inverse and replace(inverse, action_id=undo)
    return None


def _evidence(step: StepName, nic: Nic, plug: Plug) -> OnDevice:
    link = nic.link
    number = plug.device_number if plug is not None else None
    return OnDevice(
        action_id=f"{step}-{link.ifindex if link else 'gone'}-{nic.adapter.usb_path}-{number}",
        step=step,
        nic=nic.nic,
        ifindex=link.ifindex if link is not None else None,
        device=link.device if link is not None else "",
        usb_path=plug.usb_path if plug is not None else nic.adapter.usb_path,
        device_number=number,
    )


def _interface(nic: Nic, plug: Plug) -> str | None:
    """The USB interface that the NIC hung on, if the device has it now."""
    if plug is None:
        return None
    _, _, place = nic.adapter.interface.partition(":")
    interface = f"{plug.usb_path}:{place}"
    return interface if place and interface in plug.interfaces else None


def _own_configuration(nic: Nic) -> tuple[int, str] | None:
    """The configuration in which its own driver binds it, and that driver.

    A generic driver's adapter has it where r8152 has been seen to have it: this kernel's may not
    know the adapter, and the link that there is would be lost for nothing.
    """
    adapter = nic.adapter
    if is_on_generic_driver(adapter):
        return (VENDOR_CONFIGURATION, DRIVER) if nic.own_driver_seen else None
    place = adapter.interface.partition(":")[2].partition(".")[0]
    return (int(place), adapter.driver) if place.isdigit() and adapter.driver else None


def _without_link(on: OnDevice) -> OnDevice:
    """Half-way through such a step the device has no network interface, or another one."""
    return replace(on, ifindex=None, device="")


def _as(kind: Callable[..., Action], on: OnDevice, **more: object) -> Action:
    return kind(**vars(on), **more)
