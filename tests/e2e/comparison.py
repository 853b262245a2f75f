"""Who saw what, when, and did what: the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.lab import images

PAGE = images.CHECKOUT / "docs/comparison.md"
RULE = "NodeNetworkInterfaceFlapping"
EXPRESSION = 'changes(node_network_up{job="node-exporter",device!~"veth.+"}[2m]) > 2'
_HEAD = """\
# Who saw what, and did what

Written by `make lab-full`: {faults} faults of an emulated RTL8156B on the kernel's own r8152, in a
virtual machine of Debian 12, one after the other. On the node, nodemend in mode `remediate`. Beside
it, Debian's prometheus-node-exporter, scraped every 15 s by Debian's Prometheus, with the rule that
kube-prometheus ships:

    {rule}: {expression}
    for 2m

Prometheus asks over a link of its own. On a node whose only link is the one that fails it would see
less: while it is down, nothing at all.

Seconds are since the fault. Samples are those of `node_network_up` from the fault until a scrape or
two after it was over; "no series" are scrapes in which the link had none. What stays so until
somebody goes there has no time after which it was well. The machine is emulated in software, about
ten times slower than a real one.

| fault | nodemend saw | and did | well after | node_exporter saw | the rule |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Compared:
    """One fault."""

    saw: str
    did: str
    well_seconds: float | None
    exporter_saw: str
    rule: str


def as_markdown(compared: Mapping[str, Compared], faults: Sequence[str]) -> str | None:
    """The page; None unless every fault was compared."""
    if set(faults) != compared.keys():
        return None
    head = _HEAD.format(faults=len(faults), rule=RULE, expression=EXPRESSION)
    return head + "".join(_line(fault, compared[fault]) for fault in faults)


def _line(fault: str, found: Compared) -> str:
    well = "-" if found.well_seconds is None else f"{found.well_seconds:.0f} s"
    cells = (fault, found.saw, found.did, well, found.exporter_saw, found.rule)
    return f"| {' | '.join(cells)} |\n"
