"""Events: the steps."""

from __future__ import annotations

from collections.abc import Mapping

from agent.model import verdicts
from agent.report.event import ERROR, NOTICE, WARNING, Event

STEP_EVENTS: Mapping[type, Event] = {
    verdicts.StepWithheld: Event(
        name="step_withheld",
        message_id="7308ba16dece48e187027dae0f2e2843",
        priority=NOTICE,
        line="would have taken step {step} on {device} ({nic}): {action}; the mode in force is "
        "observe",
        subject="nodemend would have taken step @NODEMEND_STEP@",
        cause="The configuration matches this NIC, and the step is due.",
        done="Nothing: in mode observe nothing is ever changed.",
        to_do="To have it done, set `mode: remediate` in the configuration. Where it is set, the "
        "journal says above why nodemend only observes for now (observe_forced).",
    ),
    verdicts.StepBegan: Event(
        name="step_began",
        message_id="4bf1a4e206d643b1a9e85b20ff42fdfb",
        priority=NOTICE,
        line="step {step} on {device} ({nic}): {action}",
        subject="nodemend takes step @NODEMEND_STEP@ on @NODEMEND_DEVICE@",
        cause="Mode is remediate, the configuration matches this NIC, and the step is due.",
        done="The step is written to disk first, then carried out, then verified.",
        to_do="Nothing; the next line says what came of it.",
    ),
    verdicts.StepVerified: Event(
        name="step_verified",
        message_id="72f9e8cc69424f758acb229acb8da41f",
        priority=NOTICE,
        line="step {step} on {device} ({nic}) is verified",
        subject="Step @NODEMEND_STEP@ on @NODEMEND_DEVICE@ is verified",
        cause="The step was carried out, and a fresh reading shows its effect.",
        done="Nothing more is needed.",
        to_do="Nothing.",
    ),
    verdicts.StepTakenBack: Event(
        name="step_taken_back",
        message_id="196f8bb9bc754945afae104e6e78c074",
        priority=NOTICE,
        line="step {step} on {device} ({nic}) has no verdict yet, and is taken back",
        subject="Step @NODEMEND_STEP@ on @NODEMEND_DEVICE@ is taken back",
        cause="The daemon ends, or was cut off, while the step was being carried out or verified.",
        done="The inverse that was recorded before the step is carried out; then the daemon ends.",
        to_do="Nothing; the next line says what came of it.",
    ),
    verdicts.StepFailed: Event(
        name="step_failed",
        message_id="76cc3a08af6344fea7fac804394a446a",
        priority=ERROR,
        line="step {step} on {device} ({nic}) {outcome}: {detail}",
        subject="Step @NODEMEND_STEP@ on @NODEMEND_DEVICE@ did not succeed",
        cause="The system refused it, it took too long, the device changed meanwhile, or no "
        "effect could be seen.",
        done="What it had left off is switched on again. It is not repeated in the same climb; the "
        "next step of the ladder follows in a moment, where there is one, it is allowed, and the "
        "budget lasts.",
        to_do="Nothing yet: the next lines say what follows. `nodemend status` shows it, and "
        "`nodemend incidents list` all that was tried. Step tune alone: see `power/control` of the "
        "device under /sys/bus/usb/devices.",
    ),
    verdicts.StepBlocked: Event(
        name="step_blocked",
        message_id="1aecb48668fe49b2a6642fecf42e7951",
        priority=WARNING,
        line="{device} ({nic}): {fault}, and no step is taken: {reason}",
        subject="nodemend may not repair @NODEMEND_NIC@ just now",
        cause="The NIC failed so often that its budget of steps is spent.",
        done="Nothing, until a step of the past does not count any more.",
        to_do="Steps that have to be taken again and again are no repair: look at the cable, the "
        "plug, the adapter and the power supply. The budget is usb_nic.remediation.budget.",
    ),
    verdicts.NicRecovered: Event(
        name="nic_recovered",
        message_id="6886b5af3e2c471d91da70c4cbd0977f",
        priority=NOTICE,
        line="{device} ({nic}) is back after {seconds} s, by step {step}: {fault} before",
        subject="@NODEMEND_NIC@ is back",
        cause="A step of the ladder helped: the link has a carrier, and the gateway (or, where "
        "none is known, the device) answers.",
        done="Nothing more; if the same comes back within usb_nic.remediation.settle, the next "
        "step of the ladder is taken.",
        to_do="Nothing now. If it happens again and again, the cause is not gone: the cable, the "
        "plug, the adapter or its power supply.",
    ),
    verdicts.NicLinkOnly: Event(
        name="nic_link_only",
        message_id="269111edd72e439e87e7df44d4289619",
        priority=WARNING,
        line="{device} ({nic}): after step {step} the link is well, but {why}",
        subject="The link of @NODEMEND_NIC@ is back, the node is not",
        cause="The device answers and has a carrier. The gateway behind it is silent, or the node "
        "has not got its addresses back; or its interface has another number than before, and k3s "
        "or Cilium still hold on to the old one.",
        done="No further step: none of them would move whoever is silent.",
        to_do="Silent gateway: see whether the node has its address and route (ip -br address; ip "
        "route), then look at the gateway and the switch. k3s: systemctl restart k3s-agent. "
        "Cilium: delete its pod on this node. usb_nic.remediation.aftercare names units that "
        "nodemend restarts in that case.",
    ),
    verdicts.AftercareBegan: Event(
        name="aftercare_began",
        message_id="f56a8b13058a4714a8d1b8db3d01f02e",
        priority=WARNING,
        line="{device} ({nic}): the link is well, but {why}; restarting {units}",
        subject="nodemend restarts units after a repair of @NODEMEND_NIC@",
        cause="A step helped, its interface has another number than before, and a minute later "
        "the node had not found its way back.",
        done="The units that usb_nic.remediation.aftercare names are restarted, once, those of "
        "them that run; then the node is looked at again.",
        to_do="Nothing; the next line says what came of it.",
    ),
    verdicts.NicBeyondRepair: Event(
        name="nic_beyond_repair",
        message_id="4b567cf30a364483929db27e5a93b5ec",
        priority=ERROR,
        line="{device} ({nic}): {fault}, and no step is left (tried: {tried}); at rest for "
        "{hours} h",
        subject="nodemend cannot repair @NODEMEND_NIC@",
        cause="Every step that this fault may earn, that the configuration allows and that is "
        "possible here was taken, and none helped.",
        done="Nothing more for some hours. It goes on watching, and notices when the NIC is well "
        "again.",
        to_do="Somebody has to go there: plug the adapter out for 15 seconds and in again, try "
        "another plug and another cable, then another adapter.",
    ),
}
