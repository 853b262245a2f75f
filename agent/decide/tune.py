"""The step `tune`: switch USB power saving off for a NIC that is matched by the configuration.

    (nothing) -- it is on --> running --> verifying --> (verified or failed)

Autosuspend makes some adapters drop their carrier when idle (lede#2003), and so does USB 3's link
power management, U1 and U2 (0bda:8153 has a quirk against it in the kernel, 0bda:8156 has none:
drivers/usb/core/quirks.c). One decision per enumeration of the device, so that a step which does
not help is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.decide.decision import SECOND_NS, NicDecision
from agent.decide.matching import is_matched
from agent.model.actions import SetUsbPower
from agent.model.facts import ActionEnded
from agent.model.identity import Adapter, Stamp
from agent.model.outputs import Act, Ask, ReadAdapter, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Nic, StepInProgress
from agent.model.verdicts import (
    StepBegan,
    StepFailed,
    StepTakenBack,
    StepVerified,
    StepWithheld,
)

STEP = "tune"
VERIFY_SECONDS = 10
_NO_LPM = ("", "0")
CARRY_OUT_SECONDS = 60  # the disk, a step before it, its own deadline: all of them together


def wake_topic(connector: str) -> str:
    """The Wake that ends the wait for a step's effect."""
    return f"step:{connector}"


def consider(nic: Nic, policy: Policy, at: Stamp) -> NicDecision:
    """Begin the step where it is due; in observe mode say what would have been done."""
    link, adapter = nic.link, nic.adapter
    if link is None or not _saves_power(adapter):
        return nic, ()
    settled = f"{policy.mode} {adapter.device_number}"
    if nic.step or nic.climb or nic.tune_settled == settled:
        return nic, ()
    if STEP not in policy.remediation.steps or not is_matched(policy, adapter, link.mac):
        return nic, ()
    nic = replace(nic, tune_settled=settled)
    words = _in_words(adapter)
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
        power_control="on" if adapter.power_control == "auto" else "",
        lpm_permit="0" if adapter.lpm_permit not in _NO_LPM else "",
    )
    nic = replace(
        nic,
        step=StepInProgress(action.action_id, STEP, "running", _inverse(action, adapter)),
        attempts_total=_one_more(nic.attempts_total),
    )
    told = StepBegan(nic.nic, link.device, STEP, action.action_id, words)
    deadline_ns = at.boottime_ns + CARRY_OUT_SECONDS * SECOND_NS
    return nic, (Tell(told), Act(action), Wake(deadline_ns, wake_topic(adapter.connector)))


def after_action(nic: Nic, fact: ActionEnded) -> NicDecision:
    """Carried out is not yet helped: read the device anew, and wait a bounded time."""
    if nic.step is None:
        return nic, ()
    if nic.step.phase == "undoing" and nic.step.inverse == fact.action:
        taken_back = "it was taken back, since the daemon ended before its verdict"
        detail = taken_back if fact.outcome == "done" else f"not taken back: {fact.detail}"
        return _failed(nic, "cut off" if fact.outcome == "done" else fact.outcome, detail)
    if nic.step.phase != "running" or nic.step.action_id != fact.action.action_id:
        return nic, ()
    if fact.outcome != "done":
        return _failed(nic, fact.outcome, fact.detail)
    return verify(nic, fact.at)


def verify(nic: Nic, at: Stamp) -> NicDecision:
    """Ask what became of a step; also after a restart, when its outcome is not known."""
    step, link = nic.step, nic.link
    if step is None or step.step != STEP or link is None:
        return nic, ()
    nic = replace(nic, step=replace(step, phase="verifying"))
    deadline_ns = at.boottime_ns + VERIFY_SECONDS * SECOND_NS
    question = ReadAdapter(link.ifindex, link.device)
    return nic, (Ask(question), Wake(deadline_ns, wake_topic(nic.adapter.connector)))


def take_back(nic: Nic) -> NicDecision:
    """The daemon ends: a step without a verdict is taken back, by the inverse it recorded."""
    step = nic.step
    if step is None or step.inverse is None or step.phase == "undoing":
        return nic, ()
    device = nic.link.device if nic.link else ""
    told = StepTakenBack(nic.nic, device, step.step, step.action_id)
    return replace(nic, step=replace(step, phase="undoing")), (Tell(told), Act(step.inverse))


def after_reading(nic: Nic) -> NicDecision:
    """The adapter was read anew: does it show the effect?"""
    step = nic.step
    if step is None or step.step != STEP or step.phase != "verifying":
        return nic, ()
    if _saves_power(nic.adapter):
        return nic, ()
    device = nic.link.device if nic.link else ""
    told = StepVerified(nic.nic, device, step.step, step.action_id)
    return replace(nic, step=None), (Tell(told),)


def after_deadline(nic: Nic) -> NicDecision:
    """It did not end in time, or no reading showed the effect in time."""
    if nic.step is None or nic.step.step != STEP:
        return nic, ()  # it has ended, and another one is under way
    if nic.step.phase == "running":
        return _failed(nic, "timed_out", f"it did not end within {CARRY_OUT_SECONDS} s")
    return _failed(nic, "unverified", f"{_in_words(nic.adapter)}: not so within {VERIFY_SECONDS} s")


def after_disconnect(nic: Nic) -> NicDecision:
    """The device is gone, and with it whatever the step was about."""
    nic = replace(nic, tune_settled=None)
    if nic.step is None or nic.step.step != STEP:
        return nic, ()
    return _failed(nic, "unverified", "the device went away")


def _saves_power(adapter: Adapter) -> bool:
    return adapter.power_control == "auto" or adapter.lpm_permit not in _NO_LPM


def _in_words(adapter: Adapter) -> str:
    changes = []
    if adapter.power_control == "auto":
        changes.append(f"power/control of USB device {adapter.usb_path} from auto to on")
    if adapter.lpm_permit not in _NO_LPM:
        changes.append(f"usb3_lpm_permit of its port from {adapter.lpm_permit} to 0")
    return f"set {' and '.join(changes)}"


def _inverse(action: SetUsbPower, adapter: Adapter) -> SetUsbPower:
    return replace(
        action,
        action_id=f"undo-{action.action_id}",
        power_control=action.power_control and adapter.power_control,
        lpm_permit=action.lpm_permit and adapter.lpm_permit,
    )


def _failed(nic: Nic, outcome: str, detail: str) -> NicDecision:
    if nic.step is None:
        return nic, ()
    device = nic.link.device if nic.link else ""
    told = StepFailed(nic.nic, device, nic.step.step, nic.step.action_id, outcome, detail)
    return replace(nic, step=None, failures_total=_one_more(nic.failures_total)), (Tell(told),)


def _one_more(totals: Mapping[str, int]) -> Mapping[str, int]:
    return {**totals, STEP: totals.get(STEP, 0) + 1}
