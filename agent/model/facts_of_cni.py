"""Facts about the host's rules, routes, addresses and links, of which some are a CNI's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from agent.model.cni import (
    CniRuntime,
    Entry,
    EntryChange,
    FilterChange,
    HostLink,
    Requester,
)
from agent.model.identity import Stamp


@dataclass(frozen=True)
class NetworkChanged:
    """What one look at the event socket brought: entries in their order, links as they are last.

    `gone` and `downs` are links, by ifindex.
    """

    at: Stamp
    entries: tuple[EntryChange, ...]
    links: tuple[HostLink, ...] = ()
    gone: tuple[int, ...] = ()
    filters: tuple[FilterChange, ...] = ()  # later than what `links` say of it
    downs: tuple[int, ...] = ()  # links that were down meanwhile, whatever they are now


@dataclass(frozen=True)
class NetworkListed:
    """All there is, as of some moment after listing `number` was asked for."""

    at: Stamp
    number: int
    entries: tuple[Entry, ...]
    links: tuple[HostLink, ...]


@dataclass(frozen=True)
class RequesterRead:
    """Who holds a netlink port: None where nobody does any more, or it cannot be known."""

    at: Stamp
    port: int
    requester: Requester | None
    runtime: CniRuntime


@dataclass(frozen=True)
class NetworkdRestarted:
    """systemd-networkd's main process is another one than before."""

    at: Stamp


@dataclass(frozen=True)
class Attempt:
    """What became of one entry. `waits`: its device, address or next hop is not there yet."""

    payload: str
    failure: str  # "" where it is there now
    waits: bool = False


@dataclass(frozen=True)
class EntriesPutBack:
    """What became of PutBack `number`."""

    at: Stamp
    number: int
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class CniAudited:
    """What the host's settings expose of the CNI, where it is not what it was (agent/audit/)."""

    at: Stamp
    wrong: tuple[str, ...]  # checks that say no
    fine: tuple[str, ...]  # and those that say yes; of the others it is not known
    # What the next start of networkd would delete of others: how many. None: not known.
    exposed_rules: int | None = None
    exposed_routes: int | None = None
    managed: Mapping[str, int] = field(default_factory=dict)  # links that networkd manages, by CNI


CniFact: TypeAlias = (
    NetworkChanged | NetworkListed | RequesterRead | NetworkdRestarted | EntriesPutBack | CniAudited
)
