"""What a CNI's links are like, as entries: so they are guarded as rules and routes are.

A link that changes loses what it was like, and comes to be like something else. Nobody says who
changed it (nlmsg_pid is 0): that is inferred, and the link's number stands in for the port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent import cni_table
from agent.model.cni import LINK_KINDS, CniGuard, Entry, EntryChange, HostLink, LinkKind
from agent.model.facts_of_cni import NetworkChanged
from agent.model.policy import CniGuardPolicy


def changed(guard: CniGuard, fact: NetworkChanged) -> Mapping[int, HostLink]:
    """The links that the fact tells of, as they are now."""
    links = {link.ifindex: link for link in fact.links}
    for change in fact.filters:
        link = links.get(change.ifindex) or guard.links.get(change.ifindex)
        if link is not None:
            links[link.ifindex] = replace(link, rp_filter=change.rp_filter)
    return links


def changes(
    guard: CniGuard, links: Mapping[int, HostLink], policy: CniGuardPolicy
) -> list[EntryChange]:
    """What these links were like and are no more, and what they are like now."""
    found: list[EntryChange] = []
    for ifindex, link in links.items():
        before = guard.links.get(ifindex)
        device = before.name if before is not None else link.name
        if not _is_guarded(before, policy) and not _is_guarded(link, policy):
            continue
        then = _entries(before, device) if before is not None else _due(link)
        now = {entry.payload: entry for entry in _entries(link, device)}
        found += [EntryChange(e, False, -ifindex) for e in then if e.payload not in now]
        found += [EntryChange(entry, True, -ifindex) for entry in now.values()]
    return found


def entries(links: Iterable[HostLink], policy: CniGuardPolicy) -> list[Entry]:
    """What the CNI's among these links are like."""
    guarded = (link for link in links if _is_guarded(link, policy))
    return [entry for link in guarded for entry in _entries(link, link.name)]


def is_due(entry: Entry) -> bool:
    """Whether it is how the CNI needs it, however short it was so.

    udev's rule for new links (99-systemd.rules) has systemd-sysctl write rp_filter a moment after
    the CNI did: there is no time for it to stand.
    """
    wanted = cni_table.rp_filter_of(entry.device)
    return entry.kind == "sysctl" and wanted is not None and entry.value == str(wanted)


def _due(link: HostLink) -> list[Entry]:
    """What a new link has to be like."""
    return [e for wanted in _wanted(link) for e in _entries(wanted, link.name) if is_due(e)]


def _wanted(link: HostLink) -> list[HostLink]:
    wanted = cni_table.rp_filter_of(link.name)
    return [] if wanted is None else [replace(link, rp_filter=wanted)]


def _is_guarded(link: HostLink | None, policy: CniGuardPolicy) -> bool:
    return link is not None and cni_table.whose_link(link.name, policy.interfaces) != ""


def _entries(link: HostLink, device: str) -> list[Entry]:
    values: Mapping[LinkKind, str] = {
        "name": link.name,
        "mac": link.mac,
        "mtu": str(link.mtu),
        "master": str(link.master),
        "admin_down": "up" if link.is_up else "down",
        "sysctl": _rp_filter(link, device),
    }
    return [
        Entry(
            kind=kind,
            payload=f"{link.ifindex} {kind} {values[kind]}",
            family=0,
            words=f"{_WORDS[kind]} {values[kind]}".strip(),
            ifindex=link.ifindex,
            device=device,
            value=values[kind],
        )
        for kind in LINK_KINDS
        if values[kind]
    ]


def _rp_filter(link: HostLink, device: str) -> str:
    """Nothing where it is another than the CNI needs: that is nothing to come back to."""
    wanted = cni_table.rp_filter_of(device)
    is_right = link.rp_filter is not None and wanted in (None, link.rp_filter)
    return str(link.rp_filter) if is_right else ""


_WORDS: Mapping[LinkKind, str] = {
    "name": "name",
    "mac": "MAC",
    "mtu": "MTU",
    "master": "master",
    "admin_down": "set",
    "sysctl": "rp_filter",
}
