"""Rules, routes, addresses and links by the kernel's own messages, and back by its own word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.act.test_link import has_namespaces

ROOT = Path(__file__).parents[3]
FROM_PROXY = "9: from all fwmark 0x200/0xf00 lookup 2004"

pytestmark = pytest.mark.allow_subprocess


@pytest.fixture(scope="module")
def seen() -> Any:
    """What was seen in a namespace of its own."""
    if not has_namespaces():
        pytest.skip("needs CAP_NET_ADMIN, and network namespaces")
    command = ["unshare", "--net", sys.executable, "-m", "tests.unit.observe.namespace"]
    said = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert ("", 0) == (said.stderr, said.returncode)
    return json.loads(said.stdout)


@pytest.mark.parametrize(
    "words",
    [
        *("0: from all lookup local", FROM_PROXY, "32766: from all lookup main"),
        *("10.8.0.0/16", "127.0.0.1/8"),
    ],
)
def test_what_is_deleted_is_told_with_who_and_comes_back_as_it_was(seen: Any, words: str) -> None:
    assert {
        "told_gone_by": True,
        "failure": "",
        "told_back": True,
        "the_same": True,
        "again": "",
    } == seen[words], "and once more changes nothing"


def test_what_they_say(seen: Any) -> None:
    assert ["", "", ""] == seen["made"]
    found = seen["route"]
    assert ("route", 254, 80, 7, 1) == tuple(
        found[key] for key in ("kind", "table", "protocol", "priority", "ifindex")
    )
    found = seen["rule"]
    assert (2004, 9, 0, True) == tuple(
        found[key] for key in ("table", "priority", "protocol", "looks_up")
    )


def test_a_route_without_its_device_waits(seen: Any) -> None:
    assert "No such device" == seen["no device"]["failure"]
    assert seen["no device"]["waits"]


def test_a_link_is_set_and_told(seen: Any) -> None:
    assert {"mtu": "", "sysctl": "", "admin_down": ""} == seen["set"]
    assert (1400, 2, True, "lo") == tuple(
        seen["lo"][key] for key in ("mtu", "rp_filter", "is_up", "name")
    )
    assert [[1400, 2]] == seen["told"]
    assert [[1, 1]] == seen["written"], "by a message of its own, as by systemd-sysctl"
