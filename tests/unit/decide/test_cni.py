"""What is taken away from a CNI: by whom, what is done about it, and what is rightly left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import pytest

from agent.keeper import durable_of
from agent.model.cni import CniRuntime, Entry, EntryChange, HostLink
from agent.model.facts import ReadFailed, Started
from agent.model.facts_of_cni import CniAudited, NetworkChanged, NetworkdRestarted
from agent.model.outputs_of_cni import ReadRequester
from agent.model.policy import CniGuardPolicy, Policy, RepeatsPolicy
from agent.model.verdicts_of_cni import (
    CniCovered,
    CniExposed,
    CniInterference,
    CniLeft,
    CniRestored,
    CniRestoreWaits,
    CniRestoreWithheld,
    CniRests,
    NetworkdRestart,
)
from tests.simulation.network import (
    AGENTS_NUMBER,
    AGENTS_OTHER,
    BASELINE,
    BOOT,
    CILIUM_HOST,
    FROM_PROXY,
    HOST_ADDRESS,
    KERNEL,
    LINKS,
    LOCAL,
    NETWORKD,
    POD,
    SECOND_NS,
    TO_A_POD,
    TO_OTHER_NODE,
    TO_PODS,
    TO_PROXY,
    UDEV,
    UPLINK,
    UPLINKS_OWN,
    Network,
    route,
    rule,
)

V = TypeVar("V")

BY_AGENT, BY_NETWORKD, BY_SHELL, BY_SOMEBODY_GONE = 101, 202, 303, 404
RULES = (LOCAL, FROM_PROXY, TO_PROXY)


@pytest.fixture
def network() -> Network:
    """A node of Cilium's, in mode remediate, where all stands for a while."""
    network = Network()
    network.begin()
    network.told.clear()
    return network


def told(network: Network, kind: type[V]) -> list[V]:
    return [verdict for verdict in network.told if isinstance(verdict, kind)]


def culprits(network: Network) -> set[tuple[str, str]]:
    return {(v.kind, v.culprit) for v in network.told if isinstance(v, CniInterference)}


# --- who did it decides --------------------------------------------------------------------------


def test_what_networkd_deletes_comes_back_at_once(network: Network) -> None:
    network.remove(BY_NETWORKD, *RULES)
    network.settle()

    assert all(map(network.has, RULES))
    assert {("rule", "systemd-networkd.service")} == culprits(network)
    (restored,) = told(network, CniRestored)
    assert (3, 0) == (restored.count, restored.milliseconds)


def test_lookup_local_comes_first_and_routes_last(network: Network) -> None:
    lost = (TO_PODS, FROM_PROXY, HOST_ADDRESS, LOCAL)
    network.remove(BY_NETWORKD, *lost)
    while not network.actions:
        if network.unheard:
            network.take(network.unheard.pop(0))
        else:
            network._answer(network.questions.pop(0))

    (action,) = network.actions
    assert (LOCAL, FROM_PROXY, HOST_ADDRESS, TO_PODS) == action.entries


def test_what_the_owner_removes_stays_removed(network: Network) -> None:
    network.remove(BY_AGENT, FROM_PROXY, TO_OTHER_NODE, TO_A_POD)
    network.wait(60)

    assert not any(map(network.has, (FROM_PROXY, TO_OTHER_NODE, TO_A_POD)))
    assert [] == network.told


def test_by_somebody_else_it_is_first_the_owners_turn(network: Network) -> None:
    network.remove(BY_SHELL, FROM_PROXY)
    network.settle()
    assert not network.has(FROM_PROXY)
    assert [] == network.told
    network.wait(1)

    assert network.has(FROM_PROXY)
    assert {("rule", "ip")} == culprits(network)


def test_an_owner_that_acts_in_its_turn_is_left_to_it(network: Network) -> None:
    network.remove(BY_SOMEBODY_GONE, TO_OTHER_NODE)
    network.settle()
    network.add(BY_AGENT, TO_OTHER_NODE)
    network.wait(60)

    assert network.has(TO_OTHER_NODE)
    assert [] == network.told


@pytest.mark.parametrize("port", [AGENTS_NUMBER, AGENTS_OTHER])
def test_an_owner_that_opens_a_socket_for_each_request(network: Network, port: int) -> None:
    """As Cilium's agent does: when it is looked at, the socket is closed."""
    network.remove(port, TO_OTHER_NODE)
    network.wait(60)

    assert not network.has(TO_OTHER_NODE)
    (left,) = told(network, CniLeft)
    assert "may have been the CNI" in left.reason


def test_rules_flushed_by_hand_are_not_the_owners_doing(network: Network) -> None:
    """`ip rule flush` asks by a socket for each: of other rules that would be let be."""
    main, default = rule(32766, 254, KERNEL), rule(32767, 253, KERNEL)
    network.add(AGENTS_NUMBER, main, default)
    network.wait(10)
    for port, entry in enumerate((FROM_PROXY, TO_PROXY, LOCAL, main, default), AGENTS_OTHER):
        network.remove(port, entry)
    network.settle()
    assert not network.has(LOCAL), "it is first the owner's turn"
    network.wait(1)

    assert all(map(network.has, (FROM_PROXY, TO_PROXY, LOCAL, main, default)))
    assert {("rule", "unknown")} == culprits(network)


def test_a_lookup_local_that_the_owner_moves_is_not_put_back(network: Network) -> None:
    """Cilium has it at 100, behind the rules of its proxy."""
    moved = rule(100, 255)
    network.add(AGENTS_OTHER, moved)
    network.remove(AGENTS_OTHER, LOCAL)
    network.wait(60)

    assert (False, True) == (network.has(LOCAL), network.has(moved))


def test_a_way_that_came_before_it_was_known_to_be_missing(network: Network) -> None:
    """The address is back while the kernel's refusal is on its way to us."""
    network.set_link(UPLINK, up=False)
    network.wait(3)
    network.links[UPLINK] = replace(network.links[UPLINK], is_up=True)
    network.wait(60)

    assert network.has(TO_OTHER_NODE)


@pytest.mark.parametrize(
    "runtime",
    [
        CniRuntime(is_active=False, owner_seconds={"cilium-agent": 3600}),
        CniRuntime(is_active=True),
        CniRuntime(is_active=True, owner_seconds={"cilium-agent": 5}),
        CniRuntime(is_active=True, owner_seconds={"flanneld": 3600}),
    ],
    ids=["k3s stopped", "no owner runs", "the owner has just begun", "another CNI's"],
)
def test_by_somebody_else_nothing_is_done_where_the_owner_is_not_settled(
    network: Network, runtime: CniRuntime
) -> None:
    network.runtime = runtime
    network.remove(BY_SHELL, FROM_PROXY)
    network.wait(60)

    assert not network.has(FROM_PROXY)


def test_nothing_is_put_back_while_k3s_does_not_run(network: Network) -> None:
    """k3s-killall and uninstall remove what is the CNI's."""
    network.runtime = CniRuntime(is_active=False)
    network.remove(BY_NETWORKD, *RULES)
    network.remove(BY_SHELL, TO_PODS)
    network.remove_link(CILIUM_HOST)
    network.wait(60)

    assert not any(map(network.has, (*RULES, TO_PODS)))
    assert [] == network.told


def test_nobody_is_nothing_done_where_it_cannot_be_found_out(network: Network) -> None:
    network.answers = False
    network.remove(BY_NETWORKD, FROM_PROXY)
    network.settle()
    (question,) = network.questions
    network.questions.clear()
    network.take(ReadFailed(network.at(), question, "refused"))
    network.answers = True
    network.wait(60)

    assert isinstance(question, ReadRequester)
    assert not network.has(FROM_PROXY)


# --- what counts as lost ------------------------------------------------------------------------


def test_what_did_not_stand_for_a_while_is_work_in_progress(network: Network) -> None:
    passing = rule(111, 2004)
    network.add(BY_AGENT, passing)
    network.wait(4)
    network.remove(BY_NETWORKD, passing)
    network.wait(60)

    assert not network.has(passing)


@pytest.mark.parametrize(
    "others",
    [
        rule(1000, 100),
        route("", UPLINK, "192.168.1.1", protocol=4),
        route("10.99.0.0/16", UPLINK, "192.168.1.9", protocol=BOOT),
        UPLINKS_OWN,
    ],
    ids=lambda entry: entry.words,
)
def test_what_is_no_cnis_is_nobodys_business(others: Entry) -> None:
    network = Network()
    network.begin(*BASELINE, others)
    network.told.clear()
    network.remove(BY_NETWORKD, others)
    network.answers = False  # whatever else went with it
    network.settle()

    asked = [q for q in network.questions if isinstance(q, ReadRequester)]
    assert all(question.port == 0 for question in asked)
    assert not network.has(others)


def test_flannels_routes_by_hand_are_those_in_its_network() -> None:
    network = Network(
        runtime=CniRuntime(True, {"k3s-agent": 3600}, (), "10.42.0.0/16"),
    )
    inside = route("10.42.2.0/24", UPLINK, "192.168.1.6", protocol=BOOT)
    outside = route("10.99.2.0/24", UPLINK, "192.168.1.6", protocol=BOOT)
    network.begin(UPLINKS_OWN, inside, outside)
    network.remove(BY_NETWORKD, inside, outside)
    network.settle()

    assert (True, False) == (network.has(inside), network.has(outside))


def test_what_was_lost_before_it_watched_is_not_put_back(network: Network) -> None:
    durable = durable_of(network.state)
    del network.entries[FROM_PROXY.payload]
    again = Network(entries=network.entries)
    again.take(Started(again.at(), "0.1.0", "boot", durable, ()))
    again.wait(60)

    assert not again.has(FROM_PROXY)


# --- what no message tells ------------------------------------------------------------------------


def test_routes_that_went_with_the_last_address_come_back_with_the_next(network: Network) -> None:
    network.remove(BY_NETWORKD, UPLINKS_OWN)
    network.wait(30)
    assert not network.has(TO_OTHER_NODE)
    (waits,) = told(network, CniRestoreWaits)
    assert "Network is unreachable" == waits.reason
    network.add(BY_NETWORKD, UPLINKS_OWN)
    network.settle()

    assert network.has(TO_OTHER_NODE)
    assert {("route", "systemd-networkd.service")} == culprits(network)


def test_what_has_no_way_is_tried_ever_more_rarely(network: Network) -> None:
    network.remove(BY_NETWORKD, UPLINKS_OWN)
    network.wait(24 * 60 * 60)
    assert 270 < network.state.cni.attempts < 290, "each 320 s"
    network.add(BY_NETWORKD, UPLINKS_OWN)
    network.settle()

    assert network.has(TO_OTHER_NODE), "but at once when its way comes"
    assert 1 == len(told(network, CniRestoreWaits))


def test_routes_of_a_device_that_was_set_down_and_up(network: Network) -> None:
    network.set_link(UPLINK, up=False)
    network.wait(3)
    network.set_link(UPLINK, up=True)
    network.settle()

    assert network.has(TO_OTHER_NODE)
    assert {("route", "unknown")} == culprits(network)


def test_a_device_that_was_down_for_a_moment_is_no_less_flushed(network: Network) -> None:
    """Down and up are told in one look: it is up, and was down."""
    network.set_link(UPLINK, up=False)
    network.set_link(UPLINK, up=True)
    told_down, told_up = network.unheard
    assert isinstance(told_down, NetworkChanged)
    assert isinstance(told_up, NetworkChanged)
    network.unheard[:] = [replace(told_up, downs=told_down.downs)]
    network.wait(10)

    assert network.has(TO_OTHER_NODE)


def test_a_route_that_is_flushed_as_soon_as_it_is_back(network: Network) -> None:
    """All in one look: the address comes, the route is put back, the address goes."""
    network.remove(BY_NETWORKD, UPLINKS_OWN)
    network.wait(3)
    came = NetworkChanged(
        network.at(),
        (
            EntryChange(UPLINKS_OWN, True, BY_NETWORKD),
            EntryChange(TO_OTHER_NODE, True, 505),
            EntryChange(UPLINKS_OWN, False, BY_NETWORKD),
        ),
    )
    network.hear(came)
    network.wait(30)
    network.add(BY_NETWORKD, UPLINKS_OWN)
    network.wait(30)

    assert network.has(TO_OTHER_NODE)


def test_who_stopped_meanwhile_gets_nothing_back(network: Network) -> None:
    """k3s is removed while a route waits for its way."""
    network.set_link(UPLINK, up=False)
    network.wait(3)
    network.runtime = CniRuntime(is_active=False)
    network.set_link(UPLINK, up=True)
    network.wait(60)

    assert not network.has(TO_OTHER_NODE)


def test_what_was_lost_among_lost_events_is_told_and_let_be(network: Network) -> None:
    """Nobody knows any more who it was: it may have been the owner."""
    network.remove(BY_NETWORKD, FROM_PROXY)
    network.remove(BY_AGENT, TO_PROXY)
    network.lose_events()
    network.wait(60)

    assert not network.has(FROM_PROXY)
    assert not network.has(TO_PROXY)
    (left,) = told(network, CniLeft)
    assert ("rule", 2) == (left.kind, left.count)
    network.remove(BY_NETWORKD, LOCAL)
    network.settle()
    assert network.has(LOCAL), "what follows is heard"


def test_a_pod_that_ends_is_no_loss(network: Network) -> None:
    network.remove_link(POD)
    network.wait(60)

    assert not network.has(TO_A_POD)
    assert [] == network.told


def test_a_pods_route_by_somebody_gone_is_left_alone(network: Network) -> None:
    """It may be the CNI's plugin, which has ended."""
    network.remove(BY_SOMEBODY_GONE, TO_A_POD)
    network.wait(60)

    assert not network.has(TO_A_POD)


def test_a_pods_route_by_networkd_comes_back(network: Network) -> None:
    network.remove(BY_NETWORKD, TO_A_POD)
    network.settle()

    assert network.has(TO_A_POD)


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("mac", {"mac": "02:00:00:00:00:99"}),
        ("mtu", {"mtu": 1500}),
        ("name", {"name": "eth7"}),
        ("master", {"master": 3}),
        ("admin_down", {"is_up": False}),
        ("sysctl", {"rp_filter": 2}),
    ],
)
def test_a_link_that_networkd_changed_is_what_it_was(
    network: Network, kind: str, changed: dict[str, Any]
) -> None:
    network.meddlers[CILIUM_HOST] = NETWORKD
    network.change_link(CILIUM_HOST, **changed)
    network.wait(30)

    assert LINKS[CILIUM_HOST] == network.links[CILIUM_HOST]
    assert {(kind, "systemd-networkd.service")} == culprits(network)
    (found,) = told(network, CniInterference)
    assert " (inferred)" == found.how
    assert 1 == network.state.cni.counts.restores_total[kind], "and not once more for our own"


def test_a_link_that_nobody_is_known_to_have_changed_may_be_its_owners_doing(
    network: Network,
) -> None:
    network.change_link(CILIUM_HOST, mtu=1400)
    network.wait(30)

    assert 1400 == network.links[CILIUM_HOST].mtu
    (changed,) = told(network, CniLeft)
    assert ("cilium_host MTU 1450",) == changed.entries
    network.meddlers[CILIUM_HOST] = NETWORKD
    network.change_link(CILIUM_HOST, mtu=1500)
    network.wait(30)
    assert 1400 == network.links[CILIUM_HOST].mtu, "that is what it is expected to be now"


def test_rp_filter_of_a_new_link_that_udev_writes_is_taken_back(network: Network) -> None:
    network.meddlers[20] = UDEV
    network.add_link(HostLink(20, "lxc9", True, "02:00:00:00:00:20", 1450, 0, 0))
    network.settle()
    network.write_rp_filter(20, 2)
    network.settle()

    assert 0 == network.links[20].rp_filter
    assert {("sysctl", "systemd-udevd.service")} == culprits(network)


def test_rp_filter_that_was_written_before_the_link_was_heard_of(network: Network) -> None:
    network.meddlers[20] = UDEV
    network.add_link(HostLink(20, "lxc9", True, "02:00:00:00:00:20", 1450, 0, 2))
    network.settle()

    assert 0 == network.links[20].rp_filter


def test_a_wrong_rp_filter_is_nothing_to_come_back_to(network: Network) -> None:
    """It was wrong before we watched, and whoever manages the link sets it right."""
    wrong = replace(LINKS[CILIUM_HOST], rp_filter=2)
    network = Network(links={**LINKS, CILIUM_HOST: wrong})
    network.begin()
    network.told.clear()
    network.meddlers[CILIUM_HOST] = NETWORKD
    network.write_rp_filter(CILIUM_HOST, 0)
    network.wait(30)

    assert 0 == network.links[CILIUM_HOST].rp_filter
    assert [] == network.told


def test_a_mac_that_udev_writes_at_birth_is_left(network: Network) -> None:
    """What it was meant to be, nobody can know any more."""
    network.meddlers[20] = UDEV
    network.add_link(HostLink(20, "flannel.1", True, "02:00:00:00:00:20", 1450, 0, 2))
    network.change_link(20, mac="02:00:00:00:00:21")
    network.wait(30)

    assert "02:00:00:00:00:21" == network.links[20].mac
    assert [] == network.told


def test_links_that_are_no_cnis_may_be_what_they_like(network: Network) -> None:
    network.meddlers[UPLINK] = NETWORKD
    network.change_link(UPLINK, mtu=9000, name="lan0")
    network.wait(30)

    assert 9000 == network.links[UPLINK].mtu
    assert [] == network.told


# --- bounds ---------------------------------------------------------------------------------------


def test_a_fighter_is_named_and_left_alone_for_a_while() -> None:
    policy = CniGuardPolicy(
        repeats=RepeatsPolicy(count=3, within_ns=60 * SECOND_NS), rest_ns=120 * SECOND_NS
    )
    network = Network(policy=Policy(mode="remediate", cni_guard=policy))
    network.begin()
    for _ in range(10):
        network.remove(BY_NETWORKD, FROM_PROXY)
        network.wait(0.1)

    assert 3 == network.state.cni.counts.restores_total["rule"]
    (rests,) = told(network, CniRests)
    assert ("systemd-networkd.service", 3, 120) == (
        rests.culprit,
        rests.repeats,
        rests.rest_seconds,
    )
    assert not network.has(FROM_PROXY)
    network.wait(121)
    assert network.has(FROM_PROXY), "it has rested"


def test_in_mode_observe_it_is_only_told() -> None:
    network = Network(policy=Policy())
    network.begin()
    network.remove(BY_NETWORKD, *RULES)
    network.wait(60)

    assert not any(map(network.has, RULES))
    (withheld,) = told(network, CniRestoreWithheld)
    assert 3 == withheld.count
    assert {"rule systemd-networkd.service": 3} == network.state.cni.counts.interference_total


def test_the_counts_outlive_the_daemon(network: Network) -> None:
    network.remove(BY_NETWORKD, *RULES)
    network.settle()
    network.take(NetworkdRestarted(network.at()))
    assert [NetworkdRestart(1)] == told(network, NetworkdRestart)
    again = Network()
    durable = replace(durable_of(network.state), boot_id="another")
    again.take(Started(again.at(), "0.1.0", "boot", durable, ()))

    counts = again.state.cni.counts
    assert ({"rule": 3}, 1) == (counts.restores_total, counts.networkd_restarts_total)


# --- what exposes it ------------------------------------------------------------------------------


def test_what_exposes_the_cni_is_told_when_it_changes(network: Network) -> None:
    exposed = CniAudited(network.at(), ("cni_rules",), (), 2, 5)
    network.take(exposed)
    network.take(replace(exposed, exposed_routes=6))  # a pod came
    (told_once,) = told(network, CniExposed)
    assert ("cni_rules",) == told_once.checks
    assert "deletes 2 ip rules and 5 routes" in told_once.exposed
    assert 6 == network.state.cni.exposure.exposed_routes

    network.take(CniAudited(network.at(), (), ("cni_rules",), 0, 0))
    network.take(CniAudited(network.at(), (), ("cni_rules",), None, None))
    assert 1 == len(told(network, CniCovered))


def test_what_is_exposed_may_not_be_known(network: Network) -> None:
    network.take(CniAudited(network.at(), ("cni_rules",), ()))

    (said,) = told(network, CniExposed)
    assert "is not known" in said.exposed
