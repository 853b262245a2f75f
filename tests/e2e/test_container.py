"""A node without any USB: the daemon says what it found and what it may not see, and serves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.container import Container, booted

GET = (
    'python3 -c "import urllib.request as u;'
    "print(u.urlopen('http://127.0.0.1:19100{path}', timeout=30).read().decode())\""
)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def container(request: pytest.FixtureRequest) -> Iterator[Container]:
    with booted(request.param) as node:
        node.run("systemctl start nodemend")
        yield node


def test_the_service_runs_and_says_what_it_may_not_see(container: Container) -> None:
    container.wait_until("journalctl -t nodemend | grep 'watches nothing'")

    assert "active" == container.run("systemctl is-active nodemend").stdout.strip()
    status = json.loads(container.run("nodemend status --json").stdout)
    assert [] == status["nics"]
    assert any("no USB in /sys" in spot for spot in status["blind_spots"])
    assert "No NIC is watched" in container.run("nodemend status").stdout


def test_it_serves_metrics(container: Container) -> None:
    container.wait_until("journalctl -t nodemend | grep 'watches nothing'")

    assert (
        'nodemend_monitor_up{monitor="nic"} 1.0'
        in container.run(GET.format(path="/metrics")).stdout
    )
    assert json.loads(container.run(GET.format(path="/healthz")).stdout)["healthy"]


def test_the_journal_has_fields_and_a_runbook(container: Container) -> None:
    container.wait_until("journalctl -t nodemend | grep 'watches nothing'")
    began = next(e for e in container.journal("-t nodemend") if "NODEMEND_EVENT" in e)

    assert ("watch_began", "observe") == (began["NODEMEND_EVENT"], began["NODEMEND_MODE"])
    explained = container.run("journalctl --no-pager -x -u nodemend").stdout
    assert "The daemon started and has looked at every network link once." in explained


def test_it_stops_in_order(container: Container) -> None:
    container.run("systemctl restart nodemend")
    container.run("systemctl stop nodemend")

    shown = container.run("systemctl show -p Result,ExecMainStatus nodemend").stdout
    assert {"Result=success", "ExecMainStatus=0"} == set(shown.split())
    container.run("systemctl start nodemend")
