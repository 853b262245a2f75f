"""The CNI guard on real kernels: what the real networkd and udev take away comes back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TypeAlias

import pytest

from tests.e2e import cni_pods
from tests.e2e.cni_events import EVENTS, NETWORKD, Event
from tests.e2e.cni_node import CniNode
from tests.e2e.cni_seen import PAGE, Seen, as_markdown
from tests.e2e.seen_page import collected
from tests.e2e.test_flap import sample
from tests.e2e.uplink import CONFIG, DEVICE, REMEDIATE, Uplink
from tests.lab.machine import VirtualMachine
from tests.lab.node import Looks
from tests.lab.rtl8156.client import Rtl8156

pytestmark = pytest.mark.full

STANDS_SECONDS = 6  # longer than an entry must stand to count as lost
GUARDED = 'nodemend_monitor_up{monitor="cni"}'
FIGHTS = "for i in $(seq 60); do ip rule del pref 9; sleep 0.1; done"
AllSeen: TypeAlias = "dict[tuple[str, str], Seen]"


@pytest.fixture(scope="session")
def seen() -> Iterator[AllSeen]:
    """By event and release; a page once all of them were."""
    yield from collected(PAGE, Seen, as_markdown)


@pytest.fixture
def cni(machine: VirtualMachine, adapter: Rtl8156) -> Iterator[CniNode]:
    """A CNI is at work, and nobody guards it yet."""
    node = CniNode(machine)
    yield node
    node.clear()


@pytest.fixture(scope="module", autouse=True)
def no_cni_afterwards(machine: VirtualMachine) -> Iterator[None]:
    yield
    CniNode.end(machine)


@pytest.fixture
def guarded(cni: CniNode) -> Iterator[Uplink]:
    """In mode remediate, once all that the CNI has stands."""
    with watching(cni, REMEDIATE) as uplink:
        yield uplink


@pytest.fixture
def observed(cni: CniNode) -> Iterator[Uplink]:
    with watching(cni, CONFIG) as uplink:
        yield uplink


@contextlib.contextmanager
def watching(cni: CniNode, config: str) -> Iterator[Uplink]:
    cni.wait_until_settled()
    uplink = Uplink(cni.machine, config)
    try:
        uplink.wait_for_sample(GUARDED, 1)
        uplink.wait_until_idle()
        cni.machine.run(f"sleep {STANDS_SECONDS}")
        yield uplink
    finally:
        uplink.close()


def wait_until_whole(cni: CniNode, before: list[str]) -> None:
    looks = Looks(60)
    while missing := set(before) - set(cni.shown()):
        assert looks.rest(), f"{missing}\n{cni.machine.journal_text()}"


def culprits(uplink: Uplink) -> set[tuple[str, str]]:
    told = uplink.daemon.events("cni_interference")
    return {(entry["NODEMEND_KIND"], entry["NODEMEND_CULPRIT"]) for entry in told}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.what)
def test_it_comes_back(cni: CniNode, seen: AllSeen, event: Event) -> None:
    machine = cni.machine
    if machine.release not in event.releases:
        pytest.skip("its kernel or its systemd does not do that")
    try:
        unguarded = cni_pods.pings_lost(machine, event.command)
    finally:
        cni.clear()  # with `lookup local` where networkd leaves it: nobody guards it yet
        machine.run(event.after)
    cni.wait_until_uplinks_work()
    cni.make()
    with watching(cni, REMEDIATE) as guarded:
        before = cni.shown()
        try:
            lost = cni_pods.pings_lost(machine, event.command)
            for kind in event.lost:
                guarded.wait_until_told("cni_interference", f"({kind})")
            wait_until_whole(cni, before)
            guarded.wait_until_told("cni_restored", "put back")
            assert event.lost <= {kind for kind, _ in culprits(guarded)}
            if event.culprit:
                of_these = {who for kind, who in culprits(guarded) if kind in event.lost}
                assert {event.culprit} == of_these
            machine.run(f"{cni_pods.PING} -c 1")
            seen[event.what, machine.release] = Seen.of(guarded.daemon, unguarded, lost)
        finally:
            machine.run(event.after)


def test_networkd_s_restarts_are_counted(guarded: Uplink, cni: CniNode) -> None:
    cni.machine.run("systemctl restart systemd-networkd")
    guarded.wait_for_sample("nodemend_networkd_restarts_total", 1)
    guarded.wait_until_told("cni_restored", "rule")

    text = cni.machine.get("/metrics")
    assert (sample(text, 'nodemend_cni_restores_total{kind="rule"}') or 0) >= 1
    counted = f'nodemend_cni_interference_total{{culprit="{NETWORKD}",kind="rule"}}'
    assert (sample(text, counted) or 0) >= 1
    assert "put back" in cni.machine.run("nodemend status").stdout


def test_in_mode_observe_it_is_told_what_would_be_put_back(observed: Uplink, cni: CniNode) -> None:
    before = cni.shown()
    # The host cannot be reached without `lookup local`, which nobody puts back here.
    back = "sleep 10; ip rule add pref 100 lookup local"
    cni.machine.run(f"systemd-run -q sh -c 'systemctl restart systemd-networkd; {back}'")
    observed.wait_until_told("cni_restore_withheld", NETWORKD)

    missing = set(before) - set(cni.shown())
    assert any("lookup 2004" in line for line in missing), "and it is really lost"


def test_what_the_cni_removes_itself(guarded: Uplink, cni: CniNode) -> None:
    before = cni.shown()
    cni.does("rule del pref 9")
    cni.does("route del 10.42.1.0/24")
    cni.machine.wait_until("! ip rule show pref 9 | grep -q 2004")
    cni.machine.run("sleep 5")  # longer than anybody's turn

    missing = set(before) - set(cni.shown())
    assert any("lookup 2004" in line for line in missing)
    assert any("10.42.1.0/24" in line for line in missing)
    assert set() == culprits(guarded)
    cni.does("rule add pref 9 fwmark 0x200/0xf00 lookup 2004 protocol 0")
    cni.does(f"route add 10.42.1.0/24 via 192.168.77.1 dev {DEVICE} proto kernel")
    wait_until_whole(cni, before)


def test_k3s_that_is_stopped_takes_what_is_its(guarded: Uplink, cni: CniNode) -> None:
    """As k3s-killall does: the guard stands down."""
    cni.machine.run("systemctl stop k3s-agent; ip rule del pref 9; ip link del cilium_host")
    cni.machine.run("sleep 5")

    assert "" == cni.machine.run("ip rule show pref 9").stdout.strip()
    assert set() == culprits(guarded)


TAKES_IT_BACK = """
mkdir -p /run/systemd/networkd.conf.d /run/systemd/network/20-usb.network.d
printf '[Network]\\nManageForeignRoutes=yes\\nManageForeignRoutingPolicyRules=yes\\n' \
    > /run/systemd/networkd.conf.d/99-x.conf
printf '[Network]\\nKeepConfiguration=no\\n' > /run/systemd/network/20-usb.network.d/99-x.conf
"""
NO_MORE = "rm -rf /run/systemd/networkd.conf.d /run/systemd/network/20-usb.network.d"


def restart_under_guard(cni: CniNode) -> str:
    """What it says. On its own: the way by which it was asked for may be what is lost."""
    command = "nodemend cni apply --restart-networkd > /run/said 2>&1"
    cni.machine.run(f"systemd-run -q --wait sh -c '{command}'", timeout_seconds=180, check=False)
    return cni.machine.read("/run/said")


def test_a_restart_under_guard_loses_nothing(cni: CniNode) -> None:
    """No daemon runs. First against files that take back what `cni apply` writes, then without."""
    machine, before = cni.machine, cni.shown()
    try:
        machine.run(TAKES_IT_BACK)
        said = restart_under_guard(cni)
        assert "wrote /etc/systemd/networkd.conf.d/90-cni-guard.conf" in said
        found = re.search(r"of (\d+) lost, (\d+) are back", said)
        assert found, said
        assert int(found[1]) == int(found[2]) > 0
        assert set() == set(before) - set(cni.shown())

        machine.run(NO_MORE)
        assert "nothing was lost" in restart_under_guard(cni)
        assert set() == set(before) - set(cni.shown())
        audit = machine.run("nodemend cni audit", check=False).stdout
        assert audit.startswith("The next start of systemd-networkd deletes nothing of others.")
    finally:
        cni.clear()
        machine.run(f"{NO_MORE}; nodemend cni apply --remove; systemctl restart systemd-networkd")


def test_a_fighter_is_named_and_left_alone(cni: CniNode) -> None:
    config = f"{REMEDIATE}cni_guard: {{repeats: {{count: 3, within: 10m}}, rest: 10m}}\n"
    with watching(cni, config) as guarded:
        cni.machine.run(f"systemd-run -q --unit fighter sh -c '{FIGHTS}'")
        rests = guarded.wait_until_told("cni_rests", "left alone")
        assert "9: from all" in rests["MESSAGE"]
        assert "for 600 s" in rests["MESSAGE"]
        guarded.wait_for_sample('nodemend_cni_restores_total{kind="rule"}', 3)
        assert "left alone" in cni.machine.run("nodemend status").stdout
        cni.machine.run("systemctl stop fighter", check=False)
