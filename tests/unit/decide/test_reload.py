"""Another policy: counts stay; names, what is watched and what is due follow it."""

from __future__ import annotations

from dataclasses import replace

from agent.model.facts import ConfigRead, LinkGone, LinkSeen
from agent.model.outputs import Act, ReadAdapter
from agent.model.policy import NicMatch, Policy
from agent.model.state import Nic
from agent.model.verdicts import ConfigReloaded, NicFound
from tests.builders import ADAPTER, CONNECTOR, LINK, Node, flapped, watching

IGNORE = Policy(ignore=(NicMatch(vendor_id="0bda"),))
NAMED = Policy(match=(NicMatch(name="uplink", driver="r8152"),))
OTHER_LINK = replace(
    LINK, ifindex=4, device="enx4", mac="02:00:00:00:00:04", permanent_mac="02:00:00:00:00:04"
)
OTHER = replace(ADAPTER, connector="pci-0000:00:14.0-usb-0:2", usb_path="2-2", companion_path="1-2")


def reload(node: Node, policy: Policy) -> None:
    node.take(ConfigRead(node.at(), "config", "/etc/nodemend/config.yaml", policy))


def the_nic(node: Node) -> Nic:
    (nic,) = node.state.nics.values()
    return nic


def test_a_nic_is_named_anew_and_its_counts_go_on() -> None:
    node = watching()
    node.take(LinkSeen(node.at(), flapped(LINK)))
    reload(node, NAMED)

    assert ("uplink", 1, LINK.ifindex) == (
        the_nic(node).nic,
        the_nic(node).flaps_total,
        (the_nic(node).link or LINK).ifindex,
    )
    assert [ConfigReloaded("/etc/nodemend/config.yaml", "observe", ("uplink (enx6c1ff71be8c8)",))]
    assert ("uplink (enx6c1ff71be8c8)",) == next(
        verdict.watched for verdict in node.verdicts if isinstance(verdict, ConfigReloaded)
    )
    reload(node, Policy())
    assert CONNECTOR == the_nic(node).nic


def test_what_a_matched_nic_is_judged_by_holds_at_once() -> None:
    node = watching()
    reload(node, NAMED)
    assert the_nic(node).senses.health is not None
    reload(node, Policy())
    assert the_nic(node).senses.health is None


def test_a_nic_that_is_ignored_from_now_on_is_left_alone() -> None:
    node = watching()
    reload(node, IGNORE)

    assert {} == node.state.nics
    assert node.state.bystanders[LINK.ifindex].ignored
    assert [] == node.take(LinkSeen(node.at(), flapped(LINK)))


def test_a_nic_that_is_gone_and_ignored_is_forgotten() -> None:
    node = watching()
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    reload(node, IGNORE)

    assert ({}, {}) == (node.state.nics, node.state.bystanders)


def test_one_that_is_ignored_no_more_is_found_and_what_it_did_meanwhile_is_no_loss() -> None:
    node = watching(policy=IGNORE)
    node.take(LinkSeen(node.at(), flapped(LINK, 5)))
    reload(node, NAMED)

    assert ReadAdapter(LINK.ifindex, LINK.device) in node.asked()
    told = node.read_adapter()
    assert any(isinstance(verdict, NicFound) for verdict in told)
    assert ("uplink", 0) == (the_nic(node).nic, the_nic(node).flaps_total)


def test_a_name_passes_from_one_nic_to_another() -> None:
    first, second = NicMatch(name="uplink", connector=CONNECTOR), NicMatch(name="spare", mac="x")
    node = watching(policy=Policy(match=(first, second)))
    node.take(LinkSeen(node.at(), OTHER_LINK))
    node.read_adapter(OTHER_LINK, OTHER)
    swapped = (
        NicMatch(name="uplink", connector=OTHER.connector),
        NicMatch(name="spare", connector=CONNECTOR),
    )
    reload(node, Policy(match=swapped))

    assert {CONNECTOR: "spare", OTHER.connector: "uplink"} == {
        connector: nic.nic for connector, nic in node.state.nics.items()
    }


def test_a_step_that_another_mode_allows_is_taken_after_a_fresh_reading() -> None:
    node = watching(policy=NAMED)
    suspending = replace(ADAPTER, power_control="auto")
    node.read_adapter(adapter=suspending)
    assert not any(isinstance(output, Act) for output in node.outputs)

    reload(node, replace(NAMED, mode="remediate"))
    assert not any(isinstance(output, Act) for output in node.outputs), "not on an old reading"
    assert ReadAdapter(LINK.ifindex, LINK.device) in node.asked()
    node.read_adapter(adapter=suspending)
    assert any(isinstance(output, Act) for output in node.outputs)


def test_the_same_again_changes_nothing() -> None:
    node = watching(policy=NAMED)
    node.take(LinkSeen(node.at(), flapped(LINK)))
    before = node.state.nics
    reload(node, NAMED)

    assert before == node.state.nics
