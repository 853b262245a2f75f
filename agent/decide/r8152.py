"""Which adapters belong to the driver r8152, and which are on a generic one instead."""

from __future__ import annotations

from agent.model.identity import Adapter

# The first is the vendor's on all of these, the second CDC's: rtl8152_cfgselector_choose_
# configuration looks for it (r8152.c), and Debian's udev rule 50-usb-realtek-net writes 1 as well.
VENDOR_CONFIGURATION = 1
DRIVER = "r8152"

_GENERIC_DRIVERS = frozenset({"cdc_ncm", "cdc_ether"})

# What r8152 binds to (linux 6.1, 6.12 and 6.18: drivers/net/usb/r8152.c, rtl8152_table).
R8152_PRODUCTS: dict[str, frozenset[str]] = {
    "0bda": frozenset({"8050", "8053", "8152", "8153", "8155", "8156"}),
    "045e": frozenset({"07ab", "07c6", "0927", "0c5e"}),
    "04e8": frozenset({"a101"}),
    "17ef": frozenset(
        {"304f", "3054", "3062", "3069", "3082", "3098", "7205", "720c", "7214", "721e", "a387"}
        | {"a359"}
    ),
    "13b1": frozenset({"0041"}),
    "0955": frozenset({"09ff"}),
    "2357": frozenset({"0601", "0602"}),
    "2001": frozenset({"b301"}),
    "413c": frozenset({"b097"}),
    "0b05": frozenset({"1976"}),
    "20f4": frozenset({"e02b"}),
}


def is_on_generic_driver(adapter: Adapter) -> bool:
    """Whether a generic driver is bound where r8152 belongs."""
    ours = adapter.product_id in R8152_PRODUCTS.get(adapter.vendor_id, ())
    return ours and adapter.driver in _GENERIC_DRIVERS
