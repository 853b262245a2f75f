"""Switches the plug of a USB device off and on: its SuperSpeed port and its USB 2 port.

The files are found without the device, which is gone while its port is off. `disable` is there
since Linux 6.0 (f061f43d7418); on a hub that cannot switch power the port ends to work all the
same (Documentation/ABI/testing/sysfs-bus-usb).

The SuperSpeed port goes off last and on first, as the kernel has it, "to prevent a usb3 device
from degrading to its usb2 connection" (drivers/usb/core/port.c, usb_port_runtime_resume).
"""

from __future__ import annotations

import threading
from pathlib import Path

from agent.act import attribute, evidence
from agent.act.evidence import Refused
from agent.model.actions import PowerCyclePort, PowerPortOn


def power_cycle(action: PowerCyclePort, sysfs: Path, _dev: Path) -> None:
    """Off, a wait, and on again, whatever goes wrong meanwhile. Raises Refused or OSError."""
    switches = _switches(action, sysfs)
    _check(action, sysfs)
    failures: list[OSError] = []
    try:
        for switch in reversed(switches):
            attribute.write(switch, "1")
        pause(action.off_seconds)
    except OSError as error:
        failures.append(error)
    finally:
        failures += _switch_on(switches)
    _raise(failures)


def power_on(action: PowerPortOn, sysfs: Path, _dev: Path) -> None:
    """Switch both ports on. Raises Refused or OSError.

    Where one of them is off, that is evidence enough: a cycle that was cut off half-way may have
    brought the device back at one of its speeds, and the other port must not stay off.
    """
    switches = _switches(action, sysfs)
    if not any(_is_off(switch) for switch in switches):
        _check(action, sysfs)
    _raise(_switch_on(switches))


def pause(seconds: float) -> None:
    """Wait; this process has nothing else to do."""
    threading.Event().wait(seconds)


def _check(action: PowerCyclePort | PowerPortOn, sysfs: Path) -> None:
    if action.device_number is None:
        evidence.empty_plug(action, action.companion_path, sysfs)
    else:
        evidence.device(action, sysfs)


def _switches(action: PowerCyclePort | PowerPortOn, sysfs: Path) -> list[Path]:
    """The `disable` files of the plug, the SuperSpeed port's first. Raises Refused."""
    ports = [_port(action.usb_path, sysfs)]
    if not ports[0].is_dir():
        raise Refused(f"{ports[0]} is gone")
    if not (ports[0] / "disable").exists():
        raise Refused(f"{ports[0]} has no file `disable`, which Linux has since 6.0")
    if action.companion_path:
        companion = _port(action.companion_path, sysfs)
        if (companion / "disable").exists():
            if (ports[0] / "peer").resolve() != companion.resolve():
                raise Refused(f"{companion} is not the other side of {ports[0]}")
            ports.append(companion)
    # Only a SuperSpeed port has this file (drivers/usb/core/port.c, port_dev_usb3_attrs).
    ports.sort(key=lambda port: not (port / "usb3_lpm_permit").exists())
    return [port / "disable" for port in ports]


def _port(usb_path: str, sysfs: Path) -> Path:
    """The port of a bus path: its hub is another device, or the root hub of the bus."""
    name = evidence.device_path(usb_path, sysfs).name
    if "." in name:
        hub, _, number = name.rpartition(".")
        return evidence.devices(sysfs) / hub / f"{hub}:1.0" / f"{hub}-port{number}"
    bus, _, number = name.partition("-")
    return evidence.devices(sysfs) / f"usb{bus}" / f"{bus}-0:1.0" / f"usb{bus}-port{number}"


def _is_off(switch: Path) -> bool:
    try:
        return attribute.read(switch) != "0"
    except OSError:
        return True  # not known to be on: the write will say what is wrong


def _switch_on(switches: list[Path]) -> list[OSError]:
    """Every one of them, even where one fails."""
    return [failure for switch in switches if (failure := _failure_to_switch_on(switch))]


def _failure_to_switch_on(switch: Path) -> OSError | None:
    try:
        attribute.write(switch, "0")
    except OSError as error:
        return error
    return None


def _raise(failures: list[OSError]) -> None:
    if failures:
        raise OSError("; ".join(attribute.words(failure) for failure in failures))
