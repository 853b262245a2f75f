"""What networkd and `ip` answer: understood, or not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.audit.kernel import Kernel, list_kernel
from agent.audit.networkd import Networkd, understand
from agent.audit.program import Unanswered

# Cut from what the real ones said (systemd 252 and 257, Linux 6.1).
UP0: dict[str, Any] = {
    "Index": 3,
    "Name": "up0",
    "Kind": "veth",
    "Type": "ether",
    "Driver": "veth",
    "HardwareAddress": [2, 0, 0, 0, 0, 10],
    "AdministrativeState": "configured",
    "NetworkFile": "/run/systemd/network/10-up.network",
    "Addresses": [
        {"Family": 2, "Address": [10, 99, 0, 77], "PrefixLength": 32, "ConfigSource": "foreign"},
        {"Family": 2, "Address": [10, 99, 0, 2], "PrefixLength": 24, "ConfigSource": "static"},
    ],
    "Routes": [
        {
            "Family": 2,
            "Destination": [10, 44, 1, 0],
            "DestinationPrefixLength": 24,
            "Gateway": [10, 99, 0, 1],
            "Protocol": 3,
            "TypeString": "unicast",
            "Table": 254,
            "ConfigSource": "foreign",
        },
        {
            "Family": 2,
            "Destination": [0, 0, 0, 0],
            "DestinationPrefixLength": 0,
            "Gateway": [10, 99, 0, 1],
            "Protocol": 4,
            "TypeString": "unicast",
            "Priority": 0,
            "Table": 254,
            "ConfigSource": "static",
        },
    ],
}
RULE = {
    "Family": 2,
    "Protocol": 4,
    "Priority": 7,
    "FromPrefix": [10, 1, 0, 0],
    "FromPrefixLength": 16,
    "FirewallMark": 512,
    "FirewallMask": 3840,
    "Table": 2004,
    "ConfigSource": "static",
}
KERNELS = (
    '[{"priority":7,"src":"10.1.0.0","srclen":16,"fwmark":"0x200","fwmask":"0xf00",'
    '"table":"2004","protocol":"4"},{"priority":0,"src":"all","table":"255","protocol":"2"}]',
    '[{"priority":9,"src":"all","table":"2004","protocol":"0"}]',
    '[{"type":"unicast","dst":"default","gateway":"10.99.0.1","dev":"up0","protocol":"4"},'
    '{"type":"unicast","dst":"10.99.0.0/24","dev":"up0","protocol":"2","prefsrc":"10.99.0.2"},'
    '{"type":"unicast","dst":"10.42.0.7","dev":"cilium_host","protocol":"2"},'
    '{"type":"blackhole","dst":"10.43.0.0/26","protocol":"80"},'
    '{"type":"local","dst":"10.99.0.2","dev":"up0","table":"255","protocol":"2"}]',
    '[{"type":"unicast","dst":"fd00::/64","dev":"up0","protocol":"2","metric":256},'
    '{"type":"unicast","dst":"fd42::/64","dev":"up0","protocol":"3","metric":1024}]',
    '[{"ifname":"up0","addr_info":[{"family":"inet","local":"10.99.0.2","prefixlen":24}]}]',
)


def told(links: Any = (UP0,), rules: Any = (RULE,), routes: Any = ()) -> str:
    names = ("Interfaces", "RoutingPolicyRules", "Routes")
    answer = dict(zip(names, (list(links), list(rules), list(routes)), strict=True))
    return json.dumps({"type": "s", "data": [json.dumps(answer)]})


def listed(texts: tuple[str, ...] = KERNELS) -> Kernel:
    answers = iter(texts)
    return list_kernel(lambda _arguments: next(answers))


def test_its_own_is_told_from_that_of_others() -> None:
    networkd = understand(told())
    (up0,) = networkd.links

    assert {"10.99.0.2/24": "static"} == up0.addresses
    assert {"default via 10.99.0.1 dev up0"} == up0.routes
    assert {"7: from 10.1.0.0/16 fwmark 0x200/0xf00 lookup 2004"} == networkd.rules
    assert (True, "02:00:00:00:00:0a") == (up0.is_managed, up0.mac)


def test_the_kernel_s_are_in_the_same_words() -> None:
    kernel, networkd = listed(), understand(told())

    assert networkd.rules <= {rule.words for rule in kernel.rules}
    assert networkd.links[0].routes <= {route.words for route in kernel.routes}
    assert "9: from all lookup 2004 (IPv6)" in {rule.words for rule in kernel.rules}


def test_what_comes_and_goes_with_an_address_is_left_out() -> None:
    words = {route.words: route.device for route in listed().routes}

    assert {
        "default via 10.99.0.1 dev up0": "up0",
        "10.42.0.7 dev cilium_host": "cilium_host",
        "blackhole 10.43.0.0/26": "",
        "fd42::/64 dev up0 metric 1024": "up0",
    } == words


def test_nothing_is_nothing() -> None:
    assert Networkd((), frozenset(), frozenset()) == understand(told((), (), ()))
    assert Kernel((), (), ()) == listed(("", "[]", "", "[]", "[]"))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        '{"data": []}',
        '{"data": ["nonsense"]}',
        '{"data": ["[1, 2]"]}',
        told([{**UP0, "Index": "three"}]),
        told([{**UP0, "Routes": {"a": 1}}]),
        told([{**UP0, "Addresses": [{"Address": [1], "PrefixLength": 8, "ConfigSource": "x"}]}]),
        told(rules=[{key: value for key, value in RULE.items() if key != "ConfigSource"}]),
        json.dumps({"data": ["[" * 100_000]}),
    ],
)
def test_an_answer_that_is_none(answer: str) -> None:
    with pytest.raises(Unanswered, match="cannot be understood"):
        understand(answer)


@pytest.mark.parametrize("text", ["nonsense", "{}", '[{"a": 1}]', "[1]", "null"])
def test_what_ip_prints_may_be_nonsense(text: str) -> None:
    with pytest.raises(Unanswered, match="cannot be understood"):
        listed((text, *KERNELS[1:]))
