"""The kernel's rules, routes and addresses, as `ip -json` lists them.

By a child with a deadline: listing waits for whoever holds the kernel's lock on the network's
configuration (RTNL).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from agent.audit import words
from agent.audit.networkd import DEADLINE_SECONDS, OBJECTS_MAX
from agent.audit.program import Unanswered, printed
from agent.audit.words import IPV4, IPV6

KERNEL = 2  # rtm_protocol, linux/rtnetlink.h
LISTINGS: tuple[tuple[str, ...], ...] = (
    ("-4", "rule"),
    ("-6", "rule"),
    ("-4", "route", "show", "table", "all"),
    ("-6", "route", "show", "table", "all"),
    ("address",),
)
# What each number is called may be changed by /etc/iproute2: -N has the numbers.
IP = ("ip", "-json", "-details", "-N")
_OF_ADDRESSES = ("local", "broadcast", "anycast", "multicast", "2", "3", "4", "5")
_IPV6_PREFIX_METRIC = 256  # IP6_RT_PRIO_ADDRCONF, net/ipv6/addrconf.c
_KINDS = {"1": "unicast", "6": "blackhole", "7": "unreachable", "8": "prohibit", "9": "throw"}
_NOWHERE = ("blackhole", "unreachable", "prohibit", "throw")

List: TypeAlias = Callable[[tuple[str, ...]], str]


@dataclass(frozen=True)
class Thing:
    """A rule, a route or an address, in `ip`'s words."""

    words: str
    family: int
    protocol: int = 0
    device: str = ""  # "": none, as of a blackhole


@dataclass(frozen=True)
class Kernel:
    """Without the routes that it makes with an address, which come and go with it."""

    rules: tuple[Thing, ...]
    routes: tuple[Thing, ...]
    addresses: tuple[Thing, ...]


def listed(arguments: tuple[str, ...]) -> str:
    """What `ip` prints. Unanswered."""
    return printed((*IP, *arguments), DEADLINE_SECONDS)


def of_another_host(_arguments: tuple[str, ...]) -> str:
    """Where the files are not those of the host that runs. Unanswered."""
    raise Unanswered("only the host that runs can be asked")


def list_kernel(list_one: List = listed) -> Kernel:
    """All of them. Unanswered."""
    try:
        rules4, rules6, routes4, routes6, links = (_objects(list_one(which)) for which in LISTINGS)
        return Kernel(
            rules=(*(_rule(r, IPV4) for r in rules4), *(_rule(r, IPV6) for r in rules6)),
            routes=(
                *(_route(r, IPV4) for r in routes4 if not _is_of_address(r)),
                *(_route(r, IPV6) for r in routes6 if not _is_of_address(r)),
            ),
            addresses=tuple(_addresses(links)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise Unanswered(f"what `ip -json` prints cannot be understood ({why})") from None


def _objects(text: str) -> list[Mapping[str, Any]]:
    found = json.loads(text or "[]")
    if not isinstance(found, list):
        raise TypeError("no list")
    if len(found) > OBJECTS_MAX:
        raise ValueError(f"more than {OBJECTS_MAX}")
    return found


def _rule(told: Mapping[str, Any], family: int) -> Thing:
    text = words.rule(
        priority=int(told["priority"]),
        source=_prefix(told, "src"),
        destination=_prefix(told, "dst"),
        mark=int(str(told.get("fwmark", "0")), 0),
        mask=int(str(told.get("fwmask", "0xffffffff")), 0),
        table=int(told.get("table", 0)),
        family=family,
    )
    return Thing(text, family, int(told.get("protocol", 0)))


def _prefix(told: Mapping[str, Any], key: str) -> str:
    address = str(told.get(key, "all"))
    return "" if address == "all" else f"{address}/{told[f'{key}len']}"


def _route(told: Mapping[str, Any], family: int) -> Thing:
    kind = str(told.get("type", "unicast"))
    kind = _KINDS.get(kind, kind)
    device = "" if kind in _NOWHERE else str(told.get("dev", ""))
    destination = str(told["dst"])
    is_host = "/" not in destination and destination != "default"
    text = words.route(
        kind=kind,
        destination=destination + (("/32" if family == IPV4 else "/128") if is_host else ""),
        gateway=str(told.get("gateway", "")),
        device=device,
        table=int(told.get("table", words.MAIN)),
        metric=int(told.get("metric", 0)),
        family=family,
    )
    return Thing(text, family, int(told.get("protocol", 0)), device)


def _is_of_address(told: Mapping[str, Any]) -> bool:
    if str(told.get("type")) in _OF_ADDRESSES or str(told["dst"]).startswith(("fe80:", "ff00:")):
        return True
    is_prefix = "prefsrc" in told or int(told.get("metric", 0)) == _IPV6_PREFIX_METRIC
    return is_prefix and int(told.get("protocol", 0)) == KERNEL and "gateway" not in told


def _addresses(links: Iterable[Mapping[str, Any]]) -> Iterable[Thing]:
    for link in links:
        for address in link.get("addr_info", []):
            family = IPV4 if address["family"] == "inet" else IPV6
            network = f"{address['local']}/{address['prefixlen']}"
            yield Thing(network, family, device=str(link["ifname"]))
