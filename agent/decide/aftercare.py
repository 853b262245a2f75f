"""First the link, then the node: whether k3s and Cilium have found their way back.

    checking --nobody is ill--> (verified)
       |  ^-- caring: the configured units are restarted, once
       +--somebody still is, in the end--> (link only)

Only where the interface has another number than before the step: they hold on to the old one
(k3s-io/k3s#8059, cilium/cilium#29568). Who cannot be asked is not known to be ill.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide import incident, outcome
from agent.decide.decision import SECOND_NS, NicDecision
from agent.model.actions import RestartUnits
from agent.model.facts import ActionEnded, NodeRead
from agent.model.identity import Stamp
from agent.model.outputs import Act, Ask, ReadNode, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Climb, Nic, StepInProgress
from agent.model.verdicts import AftercareBegan

# A kubelet that reaches its server hears from it every 10 s (nodeStatusUpdateFrequency).
CHECK_SECONDS, CHECK_AFTER_CARE_SECONDS = 60, 120
ASK_AGAIN_SECONDS = 5
_AGAIN_NS = ASK_AGAIN_SECONDS * SECOND_NS
CARE_SECONDS = 60  # for the actor; what is restarted takes its own time afterwards


def is_due(nic: Nic, step: StepInProgress) -> bool:
    """Whether the interface has another number than before the step."""
    return nic.link is not None and nic.link.ifindex != step.ifindex_before


def begin(nic: Nic, climb: Climb, step: StepInProgress, at: Stamp) -> NicDecision:
    """The link is well: ask about the node."""
    seconds = CHECK_AFTER_CARE_SECONDS if step.cared else CHECK_SECONDS
    due_ns = at.boottime_ns + seconds * SECOND_NS
    step = replace(step, phase="checking", node=None, well_ns=at.boottime_ns)
    nic = replace(nic, climb=replace(climb, due_ns=due_ns), step=step)
    nic, asked = _ask(nic, step, at)
    return nic, (*asked, Wake(due_ns, outcome.topic(nic)))


def ask_again(nic: Nic, step: StepInProgress, at: Stamp) -> NicDecision:
    """The question once more, after a while: the latest answer is the one that counts."""
    is_time = at.boottime_ns >= step.node_asked_ns + _AGAIN_NS
    return _ask(nic, step, at) if is_time else (nic, ())


def heard(nic: Nic, fact: NodeRead) -> Nic:
    """An answer."""
    if nic.step is None or nic.step.phase != "checking":
        return nic
    return replace(nic, step=replace(nic.step, node=fact.found))


def ails(step: StepInProgress) -> tuple[str, ...]:
    """What is wrong with the node by the latest answer, in words."""
    node, words = step.node, []
    if node is None:
        return ()
    if node.k3s_heard_ns is not None and node.k3s_heard_ns <= (step.well_ns or 0):
        words.append("k3s has heard nothing from its server since")
    if node.cilium:
        words.append(f"Cilium says of itself: {node.cilium}")
    return tuple(words)


def is_over(step: StepInProgress, at: Stamp) -> bool:
    """Whether the node is well, for sure.

    k3s is by what it has heard since; Cilium looks at itself only now and then.
    """
    if step.phase != "checking" or step.node is None or ails(step):
        return False
    return step.node.cilium is None or at.boottime_ns >= (step.well_ns or 0) + _AGAIN_NS


def care(nic: Nic, climb: Climb, step: StepInProgress, policy: Policy, at: Stamp) -> NicDecision:
    """Restart what the configuration names."""
    link, units = nic.link, policy.remediation.aftercare
    if link is None:
        return nic, ()
    action = RestartUnits(
        action_id=f"aftercare-{link.ifindex}-{at.boottime_ns // 1_000_000}",
        step=step.step,
        nic=nic.nic,
        ifindex=link.ifindex,
        device=link.device,
        usb_path=nic.adapter.usb_path,
        device_number=nic.adapter.device_number,
        units=units,
    )
    found = "; ".join(ails(step))
    nic = incident.end_step(nic, "link_only", found)
    nic = incident.add_step(nic, found, "aftercare", at)
    climb = replace(climb, due_ns=at.boottime_ns + CARE_SECONDS * SECOND_NS)
    step = replace(step, phase="caring", cared=True, action_id=action.action_id)
    told = AftercareBegan(nic.nic, link.device, units, found)
    return replace(nic, climb=climb, step=step), (Tell(told), Act(action))


def after_action(nic: Nic, climb: Climb, step: StepInProgress, fact: ActionEnded) -> NicDecision:
    """The restarts are asked for, or could not be: look at the node once more."""
    if fact.outcome != "done":
        step = replace(step, care_failure=f"the restart {fact.outcome}: {fact.detail}")
    return begin(nic, climb, step, fact.at)


def _ask(nic: Nic, step: StepInProgress, at: Stamp) -> NicDecision:
    nic = replace(nic, step=replace(step, node_asked_ns=at.boottime_ns))
    again = Wake(at.boottime_ns + _AGAIN_NS, f"{outcome.topic(nic)}:again")
    return nic, (Ask(ReadNode(nic.adapter.connector)), again)
