"""What carries out each action. Every one checks its evidence before its first write.

All of them may hang with the device, whose lock the kernel takes: bConfigurationValue,
authorized (drivers/usb/core/sysfs.c), unbind, bind (drivers/base/bus.c), power/control, the reset.
They run in a process of their own (child.py). Only who talks rtnetlink loads pyroute2, which is two
thirds of what such a process would load: the first second of an outage is for the reset.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from agent.act import attribute, evidence, network_service, port, units
from agent.act.evidence import Refused
from agent.model.actions import (
    Authorize,
    BindDriver,
    BounceLink,
    CycleConfiguration,
    PowerCyclePort,
    PowerPortOn,
    RaiseLink,
    Reauthorize,
    RebindDriver,
    RenewAddresses,
    ResetDevice,
    RestartUnits,
    RestoreName,
    SetConfiguration,
    SetUsbPower,
)

Performer: TypeAlias = Callable[[Any, Path, Path], None]  # action, /sys, /dev: Refused or OSError

_USBDEVFS_RESET = 0x5514  # _IO('U', 20), linux/usbdevice_fs.h
_CONFIGURATIONS = range(1, 256)  # a byte, and 0 is "none" (USB 2.0, 9.4.7)
_DRIVER_NAME = re.compile(r"[\w-]+", re.ASCII)


def _set_usb_power(action: SetUsbPower, sysfs: Path, _dev: Path) -> None:
    usb = evidence.device(action, sysfs)
    _set_and_look(usb / "power/control", action.power_control)
    _set_and_look(usb / "port/usb3_lpm_permit", action.lpm_permit)


def _set_and_look(path: Path, wanted: str) -> None:
    """Nothing where it is to stay as it is. OSError: it was taken, and is not so."""
    if not wanted:
        return
    attribute.write(path, wanted)
    found = attribute.read(path)
    if found != wanted:
        raise OSError(f"{path} says {found} after writing {wanted}")


def _bounce_link(action: BounceLink, sysfs: Path, _dev: Path) -> None:
    from agent.act import link

    ifindex = evidence.link(action, sysfs)
    link.set_up(ifindex, up=False)
    link.set_up(ifindex, up=True)


def _raise_link(action: RaiseLink, sysfs: Path, _dev: Path) -> None:
    from agent.act import link

    link.set_up(evidence.link(action, sysfs), up=True)


def _restore_name(action: RestoreName, sysfs: Path, _dev: Path) -> None:
    from agent.act import link

    ifindex = evidence.link(action, sysfs)
    if (sysfs / "class/net" / action.name).exists():
        raise Refused(f"there is another link that is called {action.name}")
    # Linux before 6.2 renames no link that is up (net/core/dev.c, dev_change_name).
    link.set_up(ifindex, up=False)
    try:
        link.rename(ifindex, action.name)
    finally:
        link.set_up(ifindex, up=True)
    if network_service.networkd_runs():  # NetworkManager follows a rename by itself
        network_service.apply_anew("networkd", action.name)


def _renew_addresses(action: RenewAddresses, sysfs: Path, _dev: Path) -> None:
    evidence.link(action, sysfs)
    network_service.apply_anew(action.network_service, action.device)


def _reset_device(action: ResetDevice, sysfs: Path, dev: Path) -> None:
    usb = evidence.device(action, sysfs)
    bus = int(attribute.read(usb / "busnum"))
    node = dev / f"bus/usb/{bus:03}/{action.device_number:03}"
    descriptor = os.open(node, os.O_WRONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _USBDEVFS_RESET)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}, at the reset", str(node)) from error
    finally:
        os.close(descriptor)


def _rebind_driver(action: RebindDriver, sysfs: Path, _dev: Path) -> None:
    interface = evidence.interface(action, action.interface, sysfs)
    bind = _bind_file(action.driver, sysfs)
    # Whichever driver has it: a device that came back may be in the hands of another one.
    if (interface / "driver").exists():
        attribute.write((interface / "driver").resolve() / "unbind", interface.name)
    attribute.write(bind, interface.name)


def _bind_driver(action: BindDriver, sysfs: Path, _dev: Path) -> None:
    interface = evidence.interface(action, action.interface, sysfs)
    if not (interface / "driver").exists():
        attribute.write(_bind_file(action.driver, sysfs), interface.name)


def _cycle_configuration(action: CycleConfiguration, sysfs: Path, _dev: Path) -> None:
    usb = evidence.device(action, sysfs)
    _check_configuration(action.configuration)
    _bind_file(action.driver, sysfs)  # without it, the link that there is would be lost for nothing
    attribute.write(usb / "bConfigurationValue", "0")
    attribute.write(usb / "bConfigurationValue", str(action.configuration))


def _set_configuration(action: SetConfiguration, sysfs: Path, _dev: Path) -> None:
    usb = evidence.device(action, sysfs)
    _check_configuration(action.configuration)
    _choose(usb, action.configuration)


def _reauthorize(action: Reauthorize, sysfs: Path, _dev: Path) -> None:
    usb = evidence.device(action, sysfs)
    _check_configuration(action.configuration)
    _bind_file(action.driver, sysfs)
    attribute.write(usb / "authorized", "0")
    attribute.write(usb / "authorized", "1")
    _choose(usb, action.configuration)


def _authorize(action: Authorize, sysfs: Path, _dev: Path) -> None:
    usb = evidence.device(action, sysfs)
    _check_configuration(action.configuration)
    if attribute.read(usb / "authorized") != "1":
        attribute.write(usb / "authorized", "1")
    _choose(usb, action.configuration)


def _choose(usb: Path, configuration: int) -> None:
    """Choose a configuration unless it is chosen.

    Linux 6.1 gives an r8152 that is authorised anew to cdc_ncm, in another configuration
    (drivers/usb/core/generic.c, usb_choose_configuration; mended by a87b8e3be926 in 6.8).
    """
    chosen = usb / "bConfigurationValue"
    if attribute.read(chosen) != str(configuration):
        attribute.write(chosen, str(configuration))


def _check_configuration(configuration: int) -> None:
    if configuration not in _CONFIGURATIONS:
        raise Refused(f"there is no USB configuration {configuration}")


def _bind_file(driver: str, sysfs: Path) -> Path:
    """Where the driver is told to take an interface. Refused: it is not loaded."""
    found = sysfs / "bus/usb/drivers" / driver / "bind"
    if not _DRIVER_NAME.fullmatch(driver) or not found.exists():
        raise Refused(f"there is no USB driver {driver!r}: {found} is not there")
    return found


PERFORMERS: Mapping[type, Performer] = {
    SetUsbPower: _set_usb_power,
    BounceLink: _bounce_link,
    RaiseLink: _raise_link,
    RenewAddresses: _renew_addresses,
    RestoreName: _restore_name,
    ResetDevice: _reset_device,
    RebindDriver: _rebind_driver,
    BindDriver: _bind_driver,
    CycleConfiguration: _cycle_configuration,
    SetConfiguration: _set_configuration,
    Reauthorize: _reauthorize,
    Authorize: _authorize,
    PowerCyclePort: port.power_cycle,
    PowerPortOn: port.power_on,
    RestartUnits: units.restart,
}
