"""Whether a CNI is set up on this host, and which links it has or will have."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from agent.audit.host import Host
from agent.audit.match import Candidate

CONFIGURATIONS = ("etc/cni/net.d", "var/lib/rancher/k3s/agent/etc/cni/net.d")


@dataclass(frozen=True)
class CniLink:
    """A link that a CNI makes: what it is called, and what it is."""

    cni: str
    glob: str
    example: str
    kind: str
    type: str = "ether"
    is_telling: bool = True  # whether nobody else has links of this name

    @property
    def candidate(self) -> Candidate:
        """As networkd will see it. Its MAC is one that no file could name; hardware it has none."""
        nothing = ""
        return Candidate((self.example,), self.type, self.kind, self.kind, *[nothing] * 3)


# Kind, driver and type as networkd names them (ethtool's driver is the kind for all of these).
LINKS: tuple[CniLink, ...] = (
    CniLink("cilium", "cilium_*", "cilium_host", "veth"),
    CniLink("cilium", "cilium_*", "cilium_net", "veth"),
    CniLink("cilium", "cilium_*", "cilium_vxlan", "vxlan", "vxlan"),
    CniLink("cilium", "lxc*", "lxc0123456789ab", "veth", is_telling=False),
    CniLink("flannel", "flannel.*", "flannel.1", "vxlan", "vxlan"),
    CniLink("flannel", "cni0", "cni0", "bridge", "bridge"),
    CniLink("flannel", "veth*", "veth01234567", "veth", is_telling=False),
    CniLink("calico", "cali*", "cali0123456789a", "veth"),
    CniLink("calico", "vxlan.calico", "vxlan.calico", "vxlan", "vxlan"),
)


def is_here(host: Host) -> bool:
    """By its configuration, or by its links. OSError."""
    return any(host.names(host.path(directory)) for directory in CONFIGURATIONS) or bool(here(host))


def here(host: Host) -> tuple[str, ...]:
    """The CNIs of which there are links; that of a configuration whose links are yet to come."""
    names = host.names(host.path("sys/class/net"))
    telling = [link for link in LINKS if link.is_telling]
    found = {link.cni for link in telling for name in names if is_called(name, link)}
    for directory in CONFIGURATIONS:
        for name in host.names(host.path(directory)):
            found |= {cni for cni in ("cilium", "flannel", "calico") if cni in name}
    return tuple(sorted(found))


def is_called(name: str, link: CniLink) -> bool:
    """Whether a link of this name is one of these."""
    return fnmatchcase(name, link.glob)
