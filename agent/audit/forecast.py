"""What the next start of systemd-networkd would delete of what others made.

    of each link that it manages, unless the link's file says KeepConfiguration=yes:
        rules of others, wherever they are      unless ManageForeignRoutingPolicyRules=no
        routes of others on the link, and those that lead to no link
                                                unless ManageForeignRoutes=no
        addresses of others                     unless KeepConfiguration=static
        an address by DHCP, until the lease is renewed
                                                unless KeepConfiguration=dhcp
    With a link's last IPv4 address the kernel flushes its IPv4 routes, whoever made them.

What is of protocol kernel is never deleted, only flushed. Read in networkd's sources
(link_configure, link_drop_foreign_config), and held against what the real ones delete
(tests/e2e/test_forecast.py).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agent.audit.files import File
from agent.audit.kernel import KERNEL, Kernel, Thing
from agent.audit.networkd import FOREIGN, Networkd, NetworkdLink
from agent.audit.settings import TRUE
from agent.audit.words import IPV4

Keeps: TypeAlias = Literal["no", "dhcp", "static", "yes"]

# This one takes its own static addresses away, too, before it adds them again.
DROPS_ITS_OWN = (250, 251, 252, 253)
# Since this one KeepConfiguration=static keeps rules as well, and what is spared (below) is also
# spared where it leads to no link.
RECENT_SINCE = 257
# Routes of these protocols (rtnetlink(7)) are spared with it, whoever made them: static; DHCP; RA
# and redirects, which are "dynamic" as well since there is that word for it.
_SPARES: Mapping[str, tuple[int, ...]] = {"static": (4,), "dhcp": (16,)}
_SPARES_ALSO: Mapping[str, tuple[int, ...]] = {"dhcp": (9, 8)}


@dataclass(frozen=True)
class Manages:
    """What networkd.conf has it take for its own, once it has read it."""

    rules: bool = True
    routes: bool = True


@dataclass(frozen=True)
class Forecast:
    """In words, as `ip` would say it."""

    rules: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.rules or self.routes or self.addresses)


def forecast(
    kernel: Kernel,
    networkd: Networkd,
    manages: Manages,
    files: Mapping[str, File],
    version: int | None,
) -> Forecast:
    """`manages` and `files` are as they are on disk now: a start reads them anew.

    `files`: by the name of each managed link, the one that networkd would choose for it.
    """
    keeps = {link.name: keeps_of(files.get(link.name)) for link in networkd.links}
    cleaning = [link for link in networkd.links if link.is_managed and keeps[link.name] != "yes"]
    rules, routes, addresses = list[Thing](), list[Thing](), list[Thing]()
    if manages.rules and any(_cleans_rules(keeps[link.name], version) for link in cleaning):
        rules += [rule for rule in _deleted(kernel.rules) if rule.words not in networkd.rules]
    nowhere = [r for r in kernel.routes if not r.device and r.words not in networkd.routes]
    for link in cleaning:
        others = _others(kernel.routes, link.name, link.routes)
        is_flushed = _is_flushed(kernel, link, keeps[link.name], version)
        spared = _spared(keeps[link.name], version)
        deleted = _deleted(others) if manages.routes else []
        gone = {route for route in deleted if route.protocol not in spared}
        if manages.routes:
            kept = spared if _is_recent(version) else ()
            routes += [route for route in _deleted(nowhere) if route.protocol not in kept]
        routes += [r for r in others if r in gone or (is_flushed and r.family == IPV4)]
        if keeps[link.name] != "static":
            found = _others(kernel.addresses, link.name, link.addresses)
            addresses += [address for address in found if not _is_link_local(address)]
    return Forecast(_words(rules), _words(routes), _words(addresses))


def _spared(keeps: Keeps, version: int | None) -> tuple[int, ...]:
    more = _SPARES_ALSO.get(keeps, ()) if _is_recent(version) else ()
    return (*_SPARES.get(keeps, ()), *more)


def _is_recent(version: int | None) -> bool:
    return (version or 0) >= RECENT_SINCE


def _others(things: Iterable[Thing], device: str, own: Container[str]) -> list[Thing]:
    return [thing for thing in things if thing.device == device and thing.words not in own]


def _deleted(things: Iterable[Thing]) -> list[Thing]:
    return [thing for thing in things if thing.protocol != KERNEL]


def keeps_of(file: File | None) -> Keeps:
    """KeepConfiguration= of a link's file, as far as it matters here (systemd.network(5))."""
    setting = file.last("Network", "KeepConfiguration") if file is not None else None
    value = setting.value.lower() if setting is not None else "no"
    if value in TRUE:
        return "yes"
    if value in ("dhcp", "dynamic"):
        return "dhcp"
    return "static" if value == "static" else "no"


def _cleans_rules(keeps: Keeps, version: int | None) -> bool:
    return keeps != "static" or not _is_recent(version)


def _is_flushed(kernel: Kernel, link: NetworkdLink, keeps: Keeps, version: int | None) -> bool:
    """Whether no IPv4 address of the link outlasts the start."""
    here = [a for a in kernel.addresses if a.family == IPV4 and a.device == link.name]
    sources = [link.addresses.get(address.words, FOREIGN) for address in here]
    return bool(sources) and not any(_stays(source, keeps, version) for source in sources)


def _stays(source: str, keeps: Keeps, version: int | None) -> bool:
    if source == FOREIGN:
        return keeps == "static"
    if source == "DHCPv4":
        return keeps == "dhcp"
    return keeps == "static" or version not in DROPS_ITS_OWN


def _is_link_local(address: Thing) -> bool:
    return ipaddress.ip_interface(address.words).is_link_local


def _words(things: Iterable[Thing]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(thing.words for thing in things))
