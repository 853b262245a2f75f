"""What the CNI's machine asks for: readings of the host's network, and to put entries back."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.cni import Entry


@dataclass(frozen=True)
class ListNetwork:
    """Every rule, route, address and link; the answer is NetworkListed with the same number."""

    number: int


@dataclass(frozen=True)
class ReadRequester:
    """Who holds a netlink port, and whether a CNI is at work; the answer is RequesterRead."""

    # 0: nobody's, only whether a CNI is at work. Negative: of this link, who is likely to have
    # changed it?
    port: int
    owners: tuple[str, ...]  # names of the processes that keep a CNI's entries


@dataclass(frozen=True)
class PutBack:
    """Make these entries again as they were; the answer is EntriesPutBack.

    Unlike a step on a device it is carried out at once: it leaves nothing half done that would
    have to be written down before. One that is there already is left as it is.
    """

    number: int
    entries: tuple[Entry, ...]  # in this order
