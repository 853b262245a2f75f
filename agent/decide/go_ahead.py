"""Whether an action may still be carried out once its turn has come: the last look before it."""

from __future__ import annotations

from agent.decide.permission import mode_in_force
from agent.model.actions import Action, RaiseLink
from agent.model.policy import Policy
from agent.model.state import State


def refusal(state: State, policy: Policy, action: Action, unsaved: str | None) -> str | None:
    """Why it is not to be done now, in words. `unsaved`: why the disk does not know of it."""
    if ends_a_step(state, action):
        return None
    if unsaved is not None:
        return f"no durable record: {unsaved}"
    if mode_in_force(state, policy) != "remediate":
        return "the mode in force is observe"
    if not _is_wanted(state, action):
        return "it was given up while the disk was waited for"
    return None


def ends_a_step(state: State, action: Action) -> bool:
    """Whether it takes a step back, or sets up the link that a step made anew.

    That is never withheld: what is under way is brought to its end.
    """
    for nic in state.nics.values():
        if nic.step is not None and nic.step.phase == "undoing" and nic.step.inverse == action:
            return True
        raised = nic.climb.raised if nic.climb is not None and nic.step is not None else None
        if isinstance(action, RaiseLink) and raised is not None and raised == action.ifindex:
            return True
    return False


def _is_wanted(state: State, action: Action) -> bool:
    """Whether it is still to be done: the disk, and other actions, may have taken long."""
    for nic in state.nics.values():
        raised = nic.climb.raised if nic.climb is not None else None
        if isinstance(action, RaiseLink) and raised is not None and raised == action.ifindex:
            return True
        if nic.step is not None and nic.step.action_id == action.action_id:
            return nic.step.phase in ("running", "caring")
    return False
