"""The node in one sentence, for the top of everything that people read."""

from __future__ import annotations

from agent.model.snapshot import Snapshot
from agent.model.state import State
from agent.report.next_step import worst_first


def verdict(snapshot: Snapshot) -> str:
    """What is worst, by name; that all is well only where it is known to be."""
    state = snapshot.state
    if not state.watch_told:
        return "Looking: the first look at this node's links is not done yet."
    judged = [nic for nic in worst_first(state.nics) if nic.senses.health is not None]
    ill = [nic for nic in judged if nic.senses.health and nic.senses.health.state != "healthy"]
    others = [*_of_cni(state), *_of_gpus(state)]
    failed = [name for name, source in snapshot.sources.items() if source.condition == "failed"]
    blind = f" nodemend itself is impaired: {', '.join(failed)}." if failed else ""
    if ill:
        words = ", ".join(
            f"{n.nic} is {n.senses.health.state.upper()}" for n in ill if n.senses.health
        )
        return f"{', '.join([words, *others])}.{blind}"
    if others:
        return f"{', '.join(others)}.{blind}"
    if not judged:
        return f"Nothing is judged here: no NIC is matched or carries a default route.{blind}"
    if failed:
        return f"No NIC is known to be ill, but{blind[:-1]}: what it tells may be old."
    return f"All is well: {', '.join(nic.nic for nic in judged)}."


def _of_cni(state: State) -> list[str]:
    """What stays away; what was lost a moment ago is being put back."""
    losses = state.cni.losses.values()
    missing = [loss for loss in losses if loss.phase in ("wayless", "resting")]
    return [f"the CNI lacks {len(missing)} of its entries"] if missing else []


def _of_gpus(state: State) -> list[str]:
    found = []
    for gpu in state.gpu.gpus.values():
        if gpu.failure:
            found.append(f"GPU {gpu.name} is LOST")
        elif gpu.is_low:
            found.append(f"GPU {gpu.name} is FULL")
    return found
