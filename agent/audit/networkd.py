"""What the systemd-networkd that runs knows: which links are its, and what on them is its own.

Asked over D-Bus without starting it, in a child with a deadline: a bus that hangs is not waited
for. `Describe` says since systemd 251 where it has a rule, route or address from (ConfigSource,
networkd-json.c). What others made it only lists where it takes it for its own to delete
(ManageForeignRoutes=): that is left to the kernel to say (kernel.py).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from agent.audit import words
from agent.audit.program import Unanswered, printed

DEADLINE_SECONDS = 5.0
ANSWER_LENGTH_MAX = 64 * 1024 * 1024
OBJECTS_MAX = 100_000
FOREIGN = "foreign"  # what others made
_DESCRIBE = (
    *("busctl", "--auto-start=no", "--json=short", "call", "org.freedesktop.network1"),
    *("/org/freedesktop/network1", "org.freedesktop.network1.Manager", "Describe"),
)

Ask: TypeAlias = Callable[[], str]


@dataclass(frozen=True)
class NetworkdLink:
    """A link as networkd knows it. What is its own there: in `ip`'s words."""

    ifindex: int
    name: str
    state: str  # unmanaged, configuring, configured, failed, pending, linger, initialized
    file: str  # its .network file; "" where none is in force
    kind: str
    type: str
    driver: str
    mac: str
    addresses: Mapping[str, str]  # 10.99.0.2/24: where it has it from ("static", "DHCPv4")
    routes: frozenset[str]

    @property
    def is_managed(self) -> bool:
        """Whether networkd configures it."""
        return self.state not in ("unmanaged", "pending", "initialized") and bool(self.file)


@dataclass(frozen=True)
class Networkd:
    """All that it told."""

    links: tuple[NetworkdLink, ...]
    rules: frozenset[str]
    routes: frozenset[str]  # that lead to no link: blackhole and its kin


def ask() -> str:
    """What networkd answers. Unanswered."""
    answer = printed(_DESCRIBE, DEADLINE_SECONDS)
    if len(answer) > ANSWER_LENGTH_MAX:
        raise Unanswered(f"its answer is longer than {ANSWER_LENGTH_MAX} characters")
    return answer


def of_another_host() -> str:
    """Where the files are not those of the host that runs. Unanswered."""
    raise Unanswered("only the host that runs can be asked")


def understand(answer: str) -> Networkd:
    """Of busctl's answer what is needed here. Unanswered."""
    try:
        told = json.loads(json.loads(answer)["data"][0])
        return Networkd(
            links=tuple(_link(link) for link in _list(told, "Interfaces")),
            rules=_own(_list(told, "RoutingPolicyRules"), _rule),
            routes=_own(_list(told, "Routes"), _route),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise Unanswered(f"its answer cannot be understood ({why})") from None


def _list(told: Mapping[str, Any], key: str) -> Iterable[Mapping[str, Any]]:
    found = told.get(key) or []
    if not isinstance(found, list):
        raise TypeError(f"{key} is no list")
    if len(found) > OBJECTS_MAX:
        raise ValueError(f"more than {OBJECTS_MAX} {key}")
    return found


def _link(told: Mapping[str, Any]) -> NetworkdLink:
    name = str(told["Name"])
    return NetworkdLink(
        ifindex=int(told["Index"]),
        name=name,
        state=str(told["AdministrativeState"]),
        file=str(told.get("NetworkFile") or ""),
        kind=str(told.get("Kind") or ""),
        type=str(told.get("Type") or ""),
        driver=str(told.get("Driver") or ""),
        mac=":".join(f"{int(octet):02x}" for octet in told.get("HardwareAddress") or []),
        addresses={
            f"{_ip(address['Address'])}/{int(address['PrefixLength'])}": _source(address)
            for address in _list(told, "Addresses")
            if _source(address) != FOREIGN
        },
        routes=_own(_list(told, "Routes"), lambda route: _route(route, name)),
    )


def _own(
    things: Iterable[Mapping[str, Any]], in_words: Callable[[Mapping[str, Any]], str]
) -> frozenset[str]:
    return frozenset(in_words(thing) for thing in things if _source(thing) != FOREIGN)


def _source(told: Mapping[str, Any]) -> str:
    """Before systemd 251 there is none: that is a KeyError, and no answer."""
    return str(told["ConfigSource"])


def _route(told: Mapping[str, Any], device: str = "") -> str:
    length = int(told["DestinationPrefixLength"])
    return words.route(
        kind=str(told.get("TypeString", "unicast")),
        destination=f"{_ip(told['Destination'])}/{length}" if length else "default",
        gateway=_ip(told["Gateway"]) if told.get("Gateway") else "",
        device=device,
        table=int(told.get("Table", words.MAIN)),
        metric=int(told.get("Priority") or 0),
        family=int(told["Family"]),
    )


def _rule(told: Mapping[str, Any]) -> str:
    return words.rule(
        priority=int(told.get("Priority", 0)),
        source=_prefix(told, "FromPrefix"),
        destination=_prefix(told, "ToPrefix"),
        mark=int(told.get("FirewallMark") or 0),
        mask=int(told.get("FirewallMask") or 0),
        table=int(told.get("Table", words.MAIN)),
        family=int(told["Family"]),
    )


def _prefix(told: Mapping[str, Any], key: str) -> str:
    return f"{_ip(told[key])}/{int(told[f'{key}Length'])}" if told.get(key) else ""


def _ip(octets: Any) -> str:
    return str(ipaddress.ip_address(bytes(int(octet) for octet in octets)))
