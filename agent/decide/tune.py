"""The step `tune`: switch USB autosuspend off for a NIC that is matched by the configuration.

    (nothing) -- power/control is "auto" --> running --> verifying --> (verified or failed)

Autosuspend makes some adapters drop their carrier when idle (facts: F13, lede#2003). One
decision per enumeration of the device, so that a step which does not help is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.decide.decision import SECOND_NS, NicDecision
from agent.decide.matching import is_matched
from agent.model.facts import ActionEnded
from agent.model.identity import Stamp
from agent.model.outputs import Act, Ask, ReadAdapter, SetUsbPower, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Nic, StepInProgress
from agent.model.verdicts import StepBegan, StepFailed, StepVerified, StepWithheld

STEP = "tune"
VERIFY_SECONDS = 10
CARRY_OUT_SECONDS = 60  # the disk, a step before it, its own deadline: all of them together


def wake_topic(connector: str) -> str:
    """The Wake that ends the wait for a step's effect."""
    return f"step:{connector}"


def consider(nic: Nic, policy: Policy, at: Stamp) -> NicDecision:
    """Begin the step where it is due; in observe mode say what would have been done."""
    link, adapter = nic.link, nic.adapter
    if link is None or adapter.power_control != "auto":
        return nic, ()
    settled = f"{policy.mode} {adapter.device_number}"
    if nic.step or nic.tune_settled == settled:
        return nic, ()
    if not is_matched(policy, adapter, link.mac):
        return nic, ()
    nic = replace(nic, tune_settled=settled)
    words = f"set power/control of USB device {adapter.usb_path} from auto to on"
    if policy.mode == "observe":
        return nic, (Tell(StepWithheld(nic.nic, link.device, STEP, words)),)
    action = SetUsbPower(
        action_id=f"{STEP}-{link.ifindex}-{adapter.usb_path}-{adapter.device_number}",
        step=STEP,
        nic=nic.nic,
        ifindex=link.ifindex,
        device=link.device,
        usb_path=adapter.usb_path,
        device_number=adapter.device_number,
        power_control="on",
    )
    nic = replace(
        nic,
        step=StepInProgress(action.action_id, STEP, "running"),
        attempts_total=_one_more(nic.attempts_total),
    )
    told = StepBegan(nic.nic, link.device, STEP, action.action_id, words)
    deadline_ns = at.boottime_ns + CARRY_OUT_SECONDS * SECOND_NS
    return nic, (Tell(told), Act(action), Wake(deadline_ns, wake_topic(adapter.connector)))


def after_action(nic: Nic, fact: ActionEnded) -> NicDecision:
    """Carried out is not yet helped: read the device anew, and wait a bounded time."""
    if nic.step is None or nic.step.action_id != fact.action.action_id:
        return nic, ()
    if fact.outcome != "done":
        return _failed(nic, fact.outcome, fact.detail)
    return verify(nic, fact.at)


def verify(nic: Nic, at: Stamp) -> NicDecision:
    """Ask what became of a step; also after a restart, when its outcome is not known."""
    step, link = nic.step, nic.link
    if step is None or link is None:
        return nic, ()
    nic = replace(nic, step=replace(step, phase="verifying"))
    deadline_ns = at.boottime_ns + VERIFY_SECONDS * SECOND_NS
    question = ReadAdapter(link.ifindex, link.device)
    return nic, (Ask(question), Wake(deadline_ns, wake_topic(nic.adapter.connector)))


def after_reading(nic: Nic) -> NicDecision:
    """The adapter was read anew: does it show the effect?"""
    if nic.step is None or nic.step.phase != "verifying" or nic.adapter.power_control != "on":
        return nic, ()
    device = nic.link.device if nic.link else ""
    told = StepVerified(nic.nic, device, nic.step.step, nic.step.action_id)
    return replace(nic, step=None), (Tell(told),)


def after_deadline(nic: Nic) -> NicDecision:
    """It did not end in time, or no reading showed the effect in time."""
    if nic.step is not None and nic.step.phase == "running":
        return _failed(nic, "timed_out", f"it did not end within {CARRY_OUT_SECONDS} s")
    return _failed(nic, "unverified", f"power/control was not seen as on within {VERIFY_SECONDS} s")


def after_disconnect(nic: Nic) -> NicDecision:
    """The device is gone, and with it whatever the step was about."""
    nic = replace(nic, tune_settled=None)
    if nic.step is None:
        return nic, ()
    return _failed(nic, "unverified", "the device went away")


def _failed(nic: Nic, outcome: str, detail: str) -> NicDecision:
    if nic.step is None:
        return nic, ()
    device = nic.link.device if nic.link else ""
    told = StepFailed(nic.nic, device, nic.step.step, nic.step.action_id, outcome, detail)
    return replace(nic, step=None, failures_total=_one_more(nic.failures_total)), (Tell(told),)


def _one_more(totals: Mapping[str, int]) -> Mapping[str, int]:
    return {**totals, STEP: totals.get(STEP, 0) + 1}
