"""What decisions may assume of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["observe", "remediate"]


@dataclass(frozen=True)
class NicMatch:
    """One item of usb_nic.match or usb_nic.ignore: every key given must fit."""

    name: str | None = None  # not a condition: the identity that the NIC gets
    driver: str | None = None
    mac: str | None = None
    vendor_id: str | None = None
    product_id: str | None = None
    connector: str | None = None


@dataclass(frozen=True)
class Policy:
    """The part of the configuration that decisions depend on."""

    mode: Mode = "observe"
    match: tuple[NicMatch, ...] = ()
    ignore: tuple[NicMatch, ...] = ()
