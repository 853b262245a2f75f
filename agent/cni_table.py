"""Which rules, routes and addresses are a CNI's, and whose processes keep them: one table.

Sources: Cilium pkg/datapath/linux (rules at 9, 10 and 100, tables 2004 and 2005; its routes have
protocol kernel since 1.14, with a gateway where pods are routed without a tunnel), flannel
backend/route_network.go (protocol boot), Calico Felix routetable (protocol 80) and BIRD (12).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from agent.model.cni import CniRuntime, Entry, HostLink
from agent.model.policy import CniGuardPolicy

_KERNEL, _BOOT, _BIRD, _CALICO = 2, 3, 12, 80  # rtm_protocol, linux/rtnetlink.h
_LOCAL, _MAIN, _DEFAULT = 255, 254, 253
HOST = "host"


@dataclass(frozen=True)
class Cni:
    """What makes an entry this one's."""

    name: str
    links: tuple[str, ...]  # globs: what sits on these, or leads there
    pod_links: tuple[str, ...]  # of these, one for each pod: they come and go with it
    owners: tuple[str, ...]  # names of the processes that keep the entries
    rule_tables: tuple[int, ...] = ()
    route_protocols: tuple[int, ...] = ()  # of routes that lead elsewhere than to its links
    gateway_protocol: int | None = None  # of routes to other nodes, through a gateway
    in_pod_network: bool = False  # and that must lie in the cluster's network of pods
    rp_filter: int | None = None  # what its links need; None: any


CNIS: tuple[Cni, ...] = (
    Cni(
        "cilium",
        links=("cilium_*", "lxc*"),
        pod_links=("lxc*",),
        owners=("cilium-agent",),
        rule_tables=(2004, 2005),
        gateway_protocol=_KERNEL,
        rp_filter=0,  # packets of a pod come in by another link than they would go out by
    ),
    Cni(
        "flannel",
        links=("flannel.*", "flannel-v6.*", "cni0", "veth*"),
        pod_links=("veth*",),
        owners=("flanneld", "k3s-server", "k3s-agent"),
        gateway_protocol=_BOOT,
        in_pod_network=True,
    ),
    Cni(
        "calico",
        links=("cali*", "tunl0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali"),
        pod_links=("cali*",),
        owners=("calico-node", "calico-felix", "bird"),
        route_protocols=(_CALICO, _BIRD),
    ),
)
OWNERS: tuple[str, ...] = tuple(owner for cni in CNIS for owner in cni.owners)
_BY_NAME: Mapping[str, Cni] = {cni.name: cni for cni in CNIS}


def whose(
    entry: Entry, links: Mapping[int, HostLink], policy: CniGuardPolicy, runtime: CniRuntime
) -> str:
    """The CNI's name; HOST for the rules that no host can do without; "" for nobody's."""
    if entry.kind == "rule":
        return _whose_rule(entry)
    if entry.device:
        return whose_link(entry.device, policy.interfaces)
    link = links.get(entry.ifindex)
    of_link = whose_link(link.name, policy.interfaces) if link is not None else ""
    if of_link:
        return of_link
    if entry.kind == "address":
        return ""
    return next((cni.name for cni in CNIS if _is_route_of(cni, entry, runtime)), "")


def whose_link(name: str, globs: tuple[str, ...]) -> str:
    """The CNI's name; "other" for one that only the configuration knows; "" for nobody's."""
    if not _any(globs, name):
        return ""
    return next((cni.name for cni in CNIS if _any(cni.links, name)), "other")


def rp_filter_of(name: str) -> int | None:
    """What a link of this name needs; None: any will do."""
    return next((cni.rp_filter for cni in CNIS if _any(cni.links, name)), None)


def of_a_pod(entry: Entry, links: Mapping[int, HostLink]) -> bool:
    """Whether it comes and goes with a pod: then nobody but the owner knows whether it is due."""
    link = links.get(entry.ifindex)
    return link is not None and any(_any(cni.pod_links, link.name) for cni in CNIS)


def owners_of(cni: str) -> tuple[str, ...]:
    """The processes that keep it; any CNI's where it is none of the known ones."""
    return _BY_NAME[cni].owners if cni in _BY_NAME else OWNERS


def _whose_rule(entry: Entry) -> str:
    """`lookup local` is Cilium's where it moved it (to 100), and the host's all the same."""
    if not entry.looks_up:
        return ""
    for cni in CNIS:
        if entry.table in cni.rule_tables:
            return cni.name
    return HOST if entry.table in (_LOCAL, _MAIN, _DEFAULT) else ""


def _is_route_of(cni: Cni, entry: Entry, runtime: CniRuntime) -> bool:
    if entry.table in cni.rule_tables or entry.protocol in cni.route_protocols:
        return True
    if not entry.gateway or not entry.destination or entry.protocol != cni.gateway_protocol:
        return False
    return not cni.in_pod_network or _lies_in(entry.destination, runtime.pod_network)


def _lies_in(network: str, pod_network: str) -> bool:
    try:
        inner, outer = ipaddress.ip_network(network), ipaddress.ip_network(pod_network)
    except ValueError:  # no network, or none that is known
        return False
    return isinstance(inner, ipaddress.IPv4Network) and (
        isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    )


def _any(globs: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
