"""The ladder: what earns a step, what does not, what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide.climb import REST_SECONDS
from agent.decide.faults import FAULTS
from agent.decide.ladder import BY_STEP, LADDER
from agent.keeper import durable_of
from agent.model.actions import Action, ActionOutcome, RenewAddresses
from agent.model.facts import (
    ActionEnded,
    ConfigRead,
    LinkGone,
    PlugRead,
    ProbeEnded,
    ReadFailed,
    SpeedRead,
    Stopping,
    TimeReached,
)
from agent.model.identity import Adapter, NetworkService, Uplink, UsbDevice
from agent.model.outputs import Probe, ReadPlug, ReadSpeed
from agent.model.policy import (
    ACT_ON,
    STEP_NAMES,
    BudgetPolicy,
    FaultKind,
    NicMatch,
    Policy,
    RemediationPolicy,
    StepName,
)
from agent.model.verdicts import (
    NicBeyondRepair,
    NicLinkOnly,
    NicRecovered,
    StepBegan,
    StepBlocked,
    StepFailed,
    StepVerified,
    StepWithheld,
)
from tests.builders import ADAPTER, CONNECTOR, LINK, SECOND_NS, actions_of, flapped, lost, returned
from tests.unit.decide.uplinks import GATEWAY, UplinkNode

REMEDIATE = Policy(
    mode="remediate",
    match=(NicMatch(name="uplink", driver="r8152"),),
    expect_speed_bits=2_500_000_000,
)
DEVICE = UsbDevice("2-1", 2, "0bda", "8156", ("2-1:1.0",), has_link=True)


class Climber(UplinkNode):
    """An uplink that nodemend may repair."""

    plug: UsbDevice | None = DEVICE

    @property
    def phase(self) -> str | None:
        return self.nic.climb.phase if self.nic.climb else None

    def actions(self) -> list[Action]:
        return actions_of(self.outputs)

    def wait(self, seconds: float) -> None:
        """Whatever is due in between comes due."""
        for _ in range(int(seconds)):
            self.take(TimeReached(self.at(), "probe"))
            if self.actions() or self.asked():
                return

    def answer(self, *, gateway: bool = False, registers: bool = False) -> None:
        """Answer everything that is asked before a step."""
        while self.phase == "probing" and self.nic.climb and self.nic.climb.awaits:
            for name in self.nic.climb.awaits:
                if name == "plug":
                    self.take(PlugRead(self.at(), CONNECTOR, self.plug))
                elif name == "gateway":
                    self.take(ProbeEnded(self.at(), LINK.ifindex, GATEWAY, gateway))
                elif registers:
                    self.take(SpeedRead(self.at(), LINK.ifindex, 2_500_000_000))
                else:
                    question = ReadSpeed(LINK.ifindex, LINK.device)
                    self.take(ReadFailed(self.at(), question, "no answer", hung=True))

    def until_a_step(self, seconds: int = 400, **answers: bool) -> Action | None:
        """The next step that is begun, within so long."""
        for _ in range(seconds):
            self.take(TimeReached(self.at(), "probe"))
            if self.phase == "probing":
                self.answer(**answers)
            if self.actions():
                return self.actions()[0]
        return None

    def end(self, action: Action, outcome: ActionOutcome = "done", detail: str = "") -> None:
        self.take(ActionEnded(self.at(), action, outcome, detail))


GENERIC = replace(ADAPTER, driver="cdc_ncm", interface="2-1:2.0")


def climber(
    policy: Policy = REMEDIATE, adapter: Adapter = ADAPTER, node: Climber | None = None
) -> Climber:
    node = node or Climber()
    node.policy = policy
    node.start()
    node.list_links(LINK)
    node.read_adapter(LINK, adapter)
    node.wait(3)
    node.read_adapter(LINK, adapter)  # a generic driver is given a moment to go by itself
    node.read_uplinks(Uplink(LINK.ifindex, LINK.device, GATEWAY, default_route=True))
    node.log()
    node.take(SpeedRead(node.at(), LINK.ifindex, 2_500_000_000))
    node.count()
    node.probe(answered=True)
    return node


def wedged(policy: Policy = REMEDIATE) -> Climber:
    node = climber(policy)
    node.log("gave_up")
    return node


def with_remediation(**changes: object) -> Policy:
    return replace(REMEDIATE, remediation=replace(RemediationPolicy(), **changes))  # type: ignore[arg-type]


# --- from evidence to a step ------------------------------------------------------------------


def test_a_driver_that_gave_up_is_reset_at_once() -> None:
    node = wedged()
    node.wait(2)

    assert {ReadPlug, Probe} == {type(question) for question in node.asked()}
    action = node.until_a_step(seconds=3)
    assert action is not None
    assert ("usb_reset", 3, 2) == (action.step, action.ifindex, action.device_number)
    (began,) = [told for told in node.told if isinstance(told, StepBegan)]
    assert "its driver gave up: resets the USB device where it is" == began.action


def test_while_the_gateway_answers_nothing_is_done() -> None:
    node = wedged()

    assert node.until_a_step(seconds=300, gateway=True) is None
    assert not [told for told in node.told if isinstance(told, StepBegan)]


def test_a_gateway_that_is_the_k3s_server_as_well_is_asked_as_the_gateway() -> None:
    node = climber()
    uplink = Uplink(LINK.ifindex, LINK.device, GATEWAY, default_route=True, witness=GATEWAY)
    node.read_uplinks(uplink)
    node.log("gave_up")

    assert node.until_a_step(seconds=10) is not None


def test_unknown_never_acts() -> None:
    node = wedged()
    for _ in range(100):
        node.wait(30)
        for question in node.asked():
            node.take(ReadFailed(node.at(), question, "no answer"))
        assert not node.actions()


def test_one_register_that_could_not_be_read_once_is_no_fault() -> None:
    node = climber()
    node.log("control_error")

    assert node.until_a_step(seconds=50, registers=True) is None
    assert not [told for told in node.told if isinstance(told, StepBegan)]


def test_registers_are_read_only_where_the_gateway_is_silent() -> None:
    node = climber()
    node.log("control_error")
    asked = []
    for _ in range(120):
        node.wait(1)
        asked += [q for q in node.asked() if isinstance(q, ReadSpeed)]
        node.answer(gateway=True)

    assert not asked
    assert node.until_a_step() is None


def test_registers_that_stay_unreadable_are_a_wedge() -> None:
    node = climber()
    node.log("control_error")
    action = node.until_a_step(seconds=30)

    assert action is not None
    assert "usb_reset" == action.step


def test_a_generic_driver_is_ended_by_the_configuration() -> None:
    node = climber()
    returns_on_a_generic_driver(node)
    node.plug = replace(DEVICE, interfaces=("2-1:2.0", "2-1:2.1"))
    action = node.until_a_step(seconds=20, gateway=True)

    assert action is not None
    assert ("usb_config_cycle", 1) == (action.step, getattr(action, "configuration", None))


def test_a_generic_driver_stays_where_its_own_one_was_never_seen() -> None:
    """Perhaps this kernel's r8152 does not know the adapter: the link would be lost for nothing."""
    node = climber(adapter=GENERIC)
    node.plug = replace(DEVICE, interfaces=("2-1:2.0", "2-1:2.1"))

    assert node.until_a_step(seconds=300, gateway=True) is None
    assert node.nic.link is not None


def returns_on_a_generic_driver(node: Climber) -> None:
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.see(LINK)
    node.read_adapter(LINK, GENERIC)
    node.wait(3)
    node.read_adapter(LINK, GENERIC)
    node.probe(answered=True)


def with_uplink(node: Climber, *, addressed: bool, network_service: NetworkService | None) -> None:
    gateway = GATEWAY if addressed else None
    way = Uplink(LINK.ifindex, LINK.device, gateway, default_route=addressed)
    node.read_uplinks(replace(way, addressed=addressed, network_service=network_service))


@pytest.mark.parametrize("network_service", ["networkd", "NetworkManager"])
def test_lost_addresses_are_renewed_by_whoever_manages_the_link(
    network_service: NetworkService,
) -> None:
    node = climber()
    with_uplink(node, addressed=True, network_service=network_service)
    with_uplink(node, addressed=False, network_service=network_service)
    action = node.until_a_step()

    assert isinstance(action, RenewAddresses)
    assert network_service == action.network_service
    node.end(action)
    with_uplink(node, addressed=True, network_service=network_service)
    node.probe(answered=True)
    node.wait(3)
    assert ["NicRecovered"] == [
        type(told).__name__ for told in node.told if isinstance(told, NicRecovered)
    ]


def reset_while_networkd_manages_it() -> Climber:
    """A step that is carried out, and whose effect is still to be seen."""
    node = climber()
    with_uplink(node, addressed=True, network_service="networkd")
    node.log("gave_up")
    action = node.until_a_step()
    assert action is not None
    node.end(action)
    node.log("usb_reset")
    return node


def test_a_step_after_which_the_default_route_is_not_back_has_not_helped_and_it_is_renewed() -> (
    None
):
    """The gateway answers ARP, and nothing leaves the node (networkd 252 gave up on the link)."""
    node = reset_while_networkd_manages_it()
    node.probe(answered=True)
    assert not [told for told in node.told if isinstance(told, NicRecovered)]
    way = Uplink(LINK.ifindex, LINK.device, None, False, addressed=True)
    node.read_uplinks(replace(way, network_service="networkd"))
    renewing = node.until_a_step()

    assert ["usb_reset", "renew_addresses"] == [
        told.step for told in node.told if isinstance(told, StepBegan)
    ]
    (failed,) = [told for told in node.told if isinstance(told, StepFailed)]
    assert "after it, the default route by it is gone" == failed.detail
    assert renewing is not None
    node.end(renewing)
    with_uplink(node, addressed=True, network_service="networkd")
    node.probe(answered=True)
    node.wait(3)
    assert [told.step for told in node.told if isinstance(told, NicRecovered)] == [
        "renew_addresses"
    ]


def test_what_networkd_gives_up_on_after_a_step_is_renewed_within_seconds() -> None:
    """Set up, the link shows a carrier for a moment: networkd 252 takes that for one, and fails."""
    node = climber()
    with_uplink(node, addressed=True, network_service="networkd")
    node.log("interrupt_stopped")
    action = node.until_a_step()
    assert action is not None
    node.end(action)
    ended_ns = node.at().boottime_ns
    node.see(returned(lost(LINK)))
    lost_all = Uplink(LINK.ifindex, LINK.device, None, False, addressed=False, given_up=True)
    node.read_uplinks(replace(lost_all, network_service="networkd"))
    renewing = node.until_a_step(seconds=30)

    assert ["link_bounce", "renew_addresses"] == [action.step, renewing and renewing.step]
    assert node.at().boottime_ns - ended_ns < 20 * SECOND_NS


def test_a_link_without_an_address_yet_is_not_said_to_have_a_silent_gateway() -> None:
    """The switch was off for a while: DHCP takes its time, and nobody is to blame."""
    node = reset_while_networkd_manages_it()
    node.see(returned(lost(LINK)))
    node.take(SpeedRead(node.at(), LINK.ifindex, 2_500_000_000))
    way = Uplink(LINK.ifindex, LINK.device, None, False, addressed=False)
    node.read_uplinks(replace(way, network_service="networkd"))
    node.until_a_step(seconds=60)

    (told,) = [told for told in node.told if isinstance(told, NicLinkOnly)]
    assert "it has no address yet" == told.why


def test_lost_addresses_that_nobody_manages_are_somebodys_affair() -> None:
    node = climber()
    with_uplink(node, addressed=True, network_service=None)
    with_uplink(node, addressed=False, network_service=None)

    assert node.until_a_step() is None


def test_addresses_that_have_not_come_yet_are_waited_for() -> None:
    """The switch has just started: it forwards nothing for half a minute, and then DHCP begins."""
    node = climber()
    node.see(lost(LINK))
    node.see(returned(lost(LINK)))
    with_uplink(node, addressed=False, network_service="networkd")

    assert node.until_a_step(seconds=90) is None
    assert node.until_a_step(seconds=200) is not None


@pytest.mark.parametrize(
    ("kind", "step"), [("slow_link", "link_bounce"), ("flapping", "usb_reset")]
)
def test_what_it_works_with_is_acted_on_where_somebody_wants_it(
    kind: FaultKind, step: StepName
) -> None:
    for act_on, expected in ((ACT_ON, None), ((*ACT_ON, kind), step)):
        node = climber(with_remediation(act_on=act_on))
        if kind == "flapping":
            node.see(flapped(LINK, 3))
        else:
            node.take(SpeedRead(node.at(), LINK.ifindex, 1_000_000_000))
        action = node.until_a_step()
        assert expected == (action.step if action else None)


def test_a_link_is_faster_once_its_speed_is_known() -> None:
    node = climber(with_remediation(act_on=("slow_link",)))
    node.take(SpeedRead(node.at(), LINK.ifindex, 1_000_000_000))
    action = node.until_a_step()
    assert action is not None
    node.end(action)
    again = returned(lost(LINK))
    node.see(lost(LINK))
    node.see(again)
    node.probe(answered=True)
    node.wait(3)
    assert "stepping" == node.phase, "the new link's speed is not known yet"
    node.take(SpeedRead(node.at(), LINK.ifindex, 2_500_000_000))
    assert "settling" == node.phase


def test_a_lost_name_is_restored_and_nothing_else_tried() -> None:
    node = climber()
    node.see(replace(LINK, device="eth0"))
    action = node.until_a_step(seconds=20)

    assert action is not None
    assert ("restore_name", "eth0", LINK.device) == (
        action.step,
        action.device,
        getattr(action, "name", None),
    )
    node.see(LINK)
    node.end(action)
    node.probe(answered=True)
    assert [told for told in node.told if isinstance(told, NicRecovered)]


def test_a_new_name_under_which_the_gateway_answers_is_somebodys_wish() -> None:
    node = climber()
    node.see(replace(LINK, device="eth0"))

    assert node.until_a_step(seconds=100, gateway=True) is None


def test_no_carrier_waits_and_earns_two_steps_and_no_more() -> None:
    node = climber()
    down = lost(LINK)
    node.see(down)

    assert node.until_a_step(seconds=170) is None
    steps = []
    while (action := node.until_a_step()) is not None:
        steps.append(action.step)
        node.end(action)
        node.see(replace(down, carrier_down_count=down.carrier_down_count))
    assert ["link_bounce", "usb_reset"] == steps
    (told,) = [verdict for verdict in node.told if isinstance(verdict, NicBeyondRepair)]
    assert ("link_bounce", "usb_reset") == told.tried
    assert "resting" == node.phase


def test_a_missing_device_gets_its_plug_switched() -> None:
    node = climber()
    node.plug = None
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    action = node.until_a_step(seconds=20)

    assert action is not None
    assert ("port_power", None, None) == (action.step, action.ifindex, action.device_number)
    assert node.nic.step is not None
    assert node.nic.step.inverse is not None
    assert "PowerPortOn" == type(node.nic.step.inverse).__name__


def test_a_device_without_a_link_gets_its_driver_first() -> None:
    node = climber()
    node.plug = replace(DEVICE, has_link=False)
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    action = node.until_a_step(seconds=20)

    assert action is not None
    assert ("driver_rebind", "2-1:1.0") == (action.step, getattr(action, "interface", None))


@pytest.mark.parametrize(
    "policy",
    [
        replace(REMEDIATE, match=()),
        with_remediation(act_on=("gone", "down")),
        with_remediation(steps=("tune", "link_bounce")),
    ],
    ids=["not matched", "not acted on", "no step allowed"],
)
def test_what_the_configuration_leaves_out_is_not_done(policy: Policy) -> None:
    node = wedged(policy)

    assert node.until_a_step(seconds=120) is None


def test_a_nic_that_somebody_set_down_is_left_alone() -> None:
    node = wedged()
    node.see(replace(LINK, admin_up=False, carrier=False))

    assert node.until_a_step(seconds=300) is None


def test_in_observe_mode_it_is_told_once() -> None:
    node = wedged(replace(REMEDIATE, mode="observe"))

    assert node.until_a_step(seconds=1500) is None
    (told,) = [verdict for verdict in node.told if isinstance(verdict, StepWithheld)]
    assert ("usb_reset", "its driver gave up: resets the USB device where it is") == (
        told.step,
        told.action,
    )


# --- from a step to its verdict ---------------------------------------------------------------


def reset() -> Climber:
    """A wedged NIC, its USB reset carried out."""
    node = wedged()
    action = node.until_a_step()
    assert action is not None
    node.end(action)
    node.log("usb_reset")
    return node


def test_it_is_back_when_the_gateway_answers() -> None:
    node = reset()
    assert not [told for told in node.told if isinstance(told, StepVerified)]
    node.probe(answered=True)

    (told,) = [verdict for verdict in node.told if isinstance(verdict, NicRecovered)]
    assert ("uplink", "usb_reset", "its driver gave up") == (told.nic, told.step, told.fault)
    assert {"usb_reset": 1} == node.nic.recoveries_total
    assert "settling" == node.phase
    for _ in range(65):
        node.take(TimeReached(node.at(), "probe"))
    assert node.nic.climb is None


def test_where_no_gateway_is_known_its_registers_must_answer() -> None:
    node = reset()
    node.state = replace(
        node.state, nics={CONNECTOR: replace(node.nic, gateway_known="", step=node.nic.step)}
    )
    node.take(SpeedRead(node.at(), LINK.ifindex, 2_500_000_000))

    assert [told for told in node.told if isinstance(told, NicRecovered)]


def test_a_silent_gateway_behind_a_good_link_gets_no_further_step() -> None:
    node = reset()
    node.take(SpeedRead(node.at(), LINK.ifindex, 2_500_000_000))

    assert node.until_a_step(seconds=200) is None
    (told,) = [verdict for verdict in node.told if isinstance(verdict, NicLinkOnly)]
    assert f"{GATEWAY} does not answer" == told.why


def test_without_an_effect_the_next_rung_follows() -> None:
    node = wedged()
    steps = []
    while (action := node.until_a_step(seconds=200)) is not None:
        steps.append(action.step)
        node.end(action)
        node.log("gave_up")
    assert ["usb_reset", "driver_rebind", "usb_config_cycle", "usb_reauthorize", "port_power"] == [
        *steps
    ]
    failed = [told for told in node.told if isinstance(told, StepFailed)]
    assert ["unverified"] * 5 == [told.outcome for told in failed]
    assert len([told for told in node.told if isinstance(told, NicBeyondRepair)]) == 1

    assert node.until_a_step(seconds=1000) is None, "it is at rest"


def test_after_a_long_rest_it_is_tried_again() -> None:
    node = wedged()
    while (action := node.until_a_step(seconds=200)) is not None:
        node.end(action, "failed", "no such device")
    for _ in range(REST_SECONDS):
        node.at()

    assert node.until_a_step(seconds=60) is not None


def test_what_a_failed_step_left_off_is_switched_on() -> None:
    node = wedged(with_remediation(steps=("driver_rebind",)))
    action = node.until_a_step()
    assert action is not None
    node.end(action, "failed", "no such device")
    (inverse,) = node.actions()
    assert "BindDriver" == type(inverse).__name__
    node.end(inverse)

    (told,) = [verdict for verdict in node.told if isinstance(verdict, StepFailed)]
    assert "what it had left off is on again" == told.detail


@pytest.mark.parametrize("step", ["usb_reset", "driver_rebind"])
def test_a_step_that_took_too_long_is_looked_at_all_the_same(step: StepName) -> None:
    """Its process was killed; the kernel goes on with it, or its inverse has completed it."""
    node = wedged(with_remediation(steps=(step,)))
    action = node.until_a_step()
    assert action is not None
    node.end(action, "timed_out", "no end within 10 s")
    for inverse in node.actions():
        node.end(inverse)
    node.log("usb_reset")
    node.probe(answered=True)
    node.wait(3)

    assert not [told for told in node.told if isinstance(told, StepFailed)]
    assert [step] == [told.step for told in node.told if isinstance(told, NicRecovered)]


def test_a_link_that_comes_back_down_is_set_up() -> None:
    node = wedged(with_remediation(steps=("driver_rebind",)))
    action = node.until_a_step()
    assert action is not None
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    anew = replace(LINK, ifindex=4, admin_up=False, carrier=False, carrier_up_count=0)
    node.see(anew)
    node.read_adapter(anew, replace(ADAPTER, device_number=2))
    node.end(action)

    (raised,) = node.actions()
    assert ("RaiseLink", 4) == (type(raised).__name__, raised.ifindex)


def test_what_a_step_does_to_the_link_is_not_counted() -> None:
    node = wedged(with_remediation(steps=("driver_rebind",)))
    action = node.until_a_step()
    assert action is not None
    before = node.nic
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    anew = replace(LINK, ifindex=4, carrier=False, carrier_up_count=0, carrier_down_count=0)
    node.see(anew)
    node.read_adapter(anew)
    node.see(returned(anew))
    node.end(action)

    assert (before.disconnects_total, before.carrier_losses_total, before.flaps_total) == (
        node.nic.disconnects_total,
        node.nic.carrier_losses_total,
        node.nic.flaps_total,
    )


def test_a_loss_from_before_the_step_ends_with_it() -> None:
    node = climber(with_remediation(down_grace_ns=10_000_000_000))
    down = lost(LINK)
    node.see(down)
    action = node.until_a_step()
    assert action is not None
    node.see(returned(down))

    assert (1, 1) == (node.nic.carrier_losses_total, node.nic.flaps_total)


# --- bounds -----------------------------------------------------------------------------------


def test_a_spent_budget_is_told_once_and_frees_itself() -> None:
    budget = BudgetPolicy(steps=2, within_ns=3_600_000_000_000)
    node = wedged(with_remediation(budget=budget))
    steps = []
    for _ in range(2):
        action = node.until_a_step(seconds=200)
        assert action is not None
        steps.append(action.step)
        node.end(action, "failed", "no")

    assert node.until_a_step(seconds=3000) is None
    assert 1 == len([told for told in node.told if isinstance(told, StepBlocked)])
    assert {"budget": 1} == node.nic.blocked_total
    assert 0 == node.nic.steps_left
    assert node.until_a_step(seconds=700) is not None


def test_the_budget_outlives_restart_and_reboot() -> None:
    node = wedged()
    action = node.until_a_step()
    assert action is not None
    node.end(action, "failed", "no")
    for boot_id in ("boot-1", "boot-2"):
        again = Climber()
        again.policy = REMEDIATE
        again.start(durable_of(node.state), boot_id)
        again.list_links(LINK)
        again.read_adapter(LINK)
        again.read_uplinks()
        again.wait(3)
        assert 9 == again.nic.steps_left, boot_id


def test_a_step_that_a_restart_cut_off_is_looked_into() -> None:
    node = wedged(with_remediation(steps=("driver_rebind",)))
    action = node.until_a_step()
    assert action is not None
    again = Climber()
    again.policy = node.policy
    again.start(durable_of(node.state))
    again.list_links(LINK)
    again.read_adapter(LINK)
    again.read_uplinks()
    again.take(TimeReached(again.at(), "probe"))

    assert again.nic.step is not None
    assert "undoing" == again.nic.step.phase, "whatever it left off is on again first"


def test_an_orderly_end_takes_back_what_is_under_way() -> None:
    node = wedged(with_remediation(steps=("port_power",)))
    action = node.until_a_step()
    assert action is not None
    node.take(Stopping(node.at(), "received SIGTERM"))
    (inverse,) = node.actions()

    assert "PowerPortOn" == type(inverse).__name__
    node.end(inverse)
    assert node.nic.step is None


def test_two_nics_are_never_on_the_ladder_at_once() -> None:
    node = wedged()
    second = replace(LINK, ifindex=9, device="enx2", mac="6c:1f:f7:00:00:02", permanent_mac="")
    other = replace(
        ADAPTER, connector="pci-0000:00:14.0-usb-0:2", usb_path="2-2", interface="2-2:1.0"
    )
    node.see(second)
    node.read_adapter(second, other)
    node.read_uplinks(
        Uplink(LINK.ifindex, LINK.device, GATEWAY, default_route=True),
        Uplink(9, "enx2", "10.0.0.1", default_route=True),
    )
    node.log("gave_up", subject="usb:2-2")
    action = node.until_a_step()
    assert action is not None
    for _ in range(30):
        node.take(TimeReached(node.at(), "probe"))
        phases = [nic.climb.phase if nic.climb else "" for nic in node.state.nics.values()]
        assert 1 == sum(phase in ("probing", "stepping") for phase in phases), phases


def test_the_tables_fit_each_other() -> None:
    assert {"tune", *BY_STEP} == set(STEP_NAMES)
    order: list[StepName] = [rung.step for rung in LADDER]
    for fault in FAULTS:
        assert sorted(fault.steps, key=order.index) == list(fault.steps), fault.name


# --- silence ----------------------------------------------------------------------------------

SERVER = "192.168.77.10"


def silent(*, witness: str | None = SERVER, witness_answers: bool = True) -> Climber:
    """A gateway that used to answer is silent for minutes, and nothing at all arrives."""
    node = climber()
    node.read_uplinks(Uplink(LINK.ifindex, LINK.device, GATEWAY, True, witness))
    node.probe(answered=True)
    node.take(TimeReached(node.at(), "probe"))
    if witness is not None:
        node.take(ProbeEnded(node.at(), LINK.ifindex, witness, witness_answers))
    for _ in range(40):
        node.probe(answered=False)
    assert "wedged" == node.health
    return node


def after_silence(node: Climber, *, gateway: bool = False, server: bool = False) -> Action | None:
    for _ in range(400):
        node.take(TimeReached(node.at(), "other"))
        if node.phase == "probing" and node.nic.climb:
            assert {"plug", "gateway", "witness"} == set(node.nic.climb.awaits)
            node.take(PlugRead(node.at(), CONNECTOR, node.plug))
            node.take(ProbeEnded(node.at(), LINK.ifindex, GATEWAY, gateway))
            node.take(ProbeEnded(node.at(), LINK.ifindex, SERVER, server))
        if node.actions():
            return node.actions()[0]
    return None


def test_silence_of_gateway_and_server_earns_one_reset_and_no_more() -> None:
    node = silent()
    began = node.at().boottime_ns
    action = after_silence(node)

    assert action is not None
    assert "usb_reset" == action.step
    assert node.at().boottime_ns - began > 170 * 10**9, "minutes, not seconds"
    node.end(action)
    assert after_silence(node) is None
    assert [told for told in node.told if isinstance(told, NicBeyondRepair)]


def test_a_gateway_that_restarts_is_no_reason_while_the_server_answers() -> None:
    assert after_silence(silent(), server=True) is None


@pytest.mark.parametrize("witness", [None, SERVER])
def test_without_a_witness_that_used_to_answer_silence_earns_nothing(witness: str | None) -> None:
    node = silent(witness=witness, witness_answers=False)

    assert node.until_a_step(seconds=600) is None


def test_a_reload_that_names_it_no_more_ends_its_climb() -> None:
    node = wedged()
    node.wait(2)
    assert "probing" == node.phase
    node.take(ConfigRead(node.at(), "config", "c.yaml", replace(REMEDIATE, match=())))

    assert node.nic.climb is None
    assert node.until_a_step(seconds=60) is None


def test_another_adapter_in_the_plug_begins_afresh() -> None:
    node = wedged()
    action = node.until_a_step()
    assert action is not None
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    other = replace(LINK, ifindex=9, device="enx2", mac="00:e0:4c:00:00:02")
    other = replace(other, permanent_mac=other.mac)
    node.see(other)
    node.read_adapter(other, replace(ADAPTER, device_number=7))

    assert (None, None, 10) == (node.nic.climb, node.nic.step, node.nic.steps_left)


def test_a_link_that_comes_back_down_long_after_the_step_is_set_up_as_well() -> None:
    node = wedged(with_remediation(steps=("port_power",)))
    action = node.until_a_step()
    assert action is not None
    node.take(LinkGone(node.at(), LINK.ifindex, LINK.device))
    node.end(action)
    node.plug = None
    assert node.until_a_step(seconds=100) is None, "unverified by now"
    anew = replace(LINK, ifindex=4, admin_up=False, carrier=False, carrier_up_count=0)
    node.see(anew)
    node.read_adapter(anew, replace(ADAPTER, device_number=9))

    (raised,) = node.actions()
    assert ("RaiseLink", 4, 9) == (type(raised).__name__, raised.ifindex, raised.device_number)
    node.see(replace(anew, admin_up=True))
    node.see(anew)
    assert not node.actions(), "that was somebody's order"


def test_a_speed_that_was_not_told_once_is_asked_for_again_where_packets_pass() -> None:
    node = climber()
    node.take(ReadFailed(node.at(), ReadSpeed(LINK.ifindex, LINK.device), "no answer", hung=True))
    assert node.until_a_step(seconds=100, gateway=True) is None
    asked = []
    for _ in range(400):
        node.probe(answered=True)
        node.answer(gateway=True)
        asked += [question for question in node.asked() if isinstance(question, ReadSpeed)]

    assert 1 == len(asked)
