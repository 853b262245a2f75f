"""Which NIC an item of usb_nic.match or usb_nic.ignore means."""

from __future__ import annotations

from agent.decide.r8152 import is_on_generic_driver
from agent.model.identity import Adapter
from agent.model.policy import NicMatch, Policy


def is_usb(adapter: Adapter) -> bool:
    """Whether it is a USB device: no other is ever matched, and so none is ever acted on."""
    return adapter.bus == "usb"


def fits(item: NicMatch, adapter: Adapter, mac: str) -> bool:
    """Every condition given must hold; `name` is no condition but the identity to give.

    An adapter that a generic driver has taken is still meant by the driver that it belongs to.
    """
    driver = "r8152" if item.driver == "r8152" and is_on_generic_driver(adapter) else adapter.driver
    conditions = (
        (item.driver, driver),
        (item.mac, mac),
        (item.vendor_id, adapter.vendor_id),
        (item.product_id, adapter.product_id),
        (item.connector, adapter.connector),
    )
    return all(wanted is None or wanted == found for wanted, found in conditions)


def is_ignored(policy: Policy, adapter: Adapter, mac: str) -> bool:
    """Whether usb_nic.ignore names this NIC."""
    return is_usb(adapter) and any(fits(item, adapter, mac) for item in policy.ignore)


def is_matched(policy: Policy, adapter: Adapter, mac: str) -> bool:
    """Whether usb_nic.match names this NIC: only then may anything be done to it."""
    return is_usb(adapter) and any(fits(item, adapter, mac) for item in policy.match)


def configured_name(policy: Policy, adapter: Adapter, mac: str) -> str | None:
    """The name that the first fitting item of usb_nic.match gives."""
    if not is_usb(adapter):
        return None
    names = (item.name for item in policy.match if item.name and fits(item, adapter, mac))
    return next(names, None)
