"""Whether a CNI is set up on this host, which links it has or will have, and its uplinks."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from agent.audit.audit import Audit
from agent.audit.files import File
from agent.audit.host import Host
from agent.audit.match import Candidate

CONFIGURATIONS = ("etc/cni/net.d", "var/lib/rancher/k3s/agent/etc/cni/net.d")
NOTES = "run/systemd/netif/links"
_ROUTES = "proc/net/route"
_DEFAULT_ROUTE = "00000000"


@dataclass(frozen=True)
class CniLink:
    """A link that a CNI makes: what it is called, and what it is."""

    cni: str
    glob: str
    example: str
    kind: str
    type: str = "ether"

    @property
    def candidate(self) -> Candidate:
        """As networkd will see it; only its MAC cannot be known before it is there."""
        return Candidate((self.example,), self.type, self.kind, self.kind, None)


# Kind, driver and type as networkd names them (ethtool's driver is the kind for all of these).
LINKS: tuple[CniLink, ...] = (
    CniLink("cilium", "cilium_*", "cilium_host", "veth"),
    CniLink("cilium", "cilium_*", "cilium_net", "veth"),
    CniLink("cilium", "cilium_*", "cilium_vxlan", "vxlan", "vxlan"),
    CniLink("cilium", "lxc*", "lxc0123456789ab", "veth"),
    CniLink("flannel", "flannel.*", "flannel.1", "vxlan", "vxlan"),
    CniLink("flannel", "cni0", "cni0", "bridge", "bridge"),
    CniLink("flannel", "veth*", "veth01234567", "veth"),
    CniLink("calico", "cali*", "cali0123456789a", "veth"),
    CniLink("calico", "vxlan.calico", "vxlan.calico", "vxlan", "vxlan"),
)


def is_here(host: Host) -> bool:
    """By its configuration, or by its links. OSError."""
    return any(host.names(host.path(directory)) for directory in CONFIGURATIONS) or bool(here(host))


def here(host: Host) -> tuple[str, ...]:
    """The CNIs of which there are links; that of a configuration whose links are yet to come."""
    names = host.names(host.path("sys/class/net"))
    found = {link.cni for link in LINKS for name in names if fnmatchcase(name, link.glob)}
    for directory in CONFIGURATIONS:
        for name in host.names(host.path(directory)):
            found |= {cni for cni in ("cilium", "flannel", "calico") if cni in name}
    return tuple(sorted(found))


def is_called(name: str, link: CniLink) -> bool:
    """Whether a link of this name is one of these."""
    return fnmatchcase(name, link.glob)


def uplinks(audit: Audit) -> list[tuple[str, File]]:
    """Links with a default route that networkd configures, each with its file. OSError."""
    if audit.networkd is not None:
        by_name = {link.name: link.file for link in audit.networkd.links if link.is_managed}
    else:
        noted = noted_as_managed(audit.host)
        names = _with_default_route(audit.host)
        by_name = {name: noted.get(_ifindex(audit.host, name), "") for name in names}
    found = []
    for name in _with_default_route(audit.host):
        path = by_name.get(name, "")
        file = next((f for f in audit.networks if path and audit.host.shown(f.path) == path), None)
        if file is not None:
            found.append((name, file))
    return found


def _ifindex(host: Host, name: str) -> str:
    return (host.text(host.path(f"sys/class/net/{name}/ifindex")) or "").strip()


def _with_default_route(host: Host) -> list[str]:
    rows = [line.split() for line in (host.text(host.path(_ROUTES)) or "").splitlines()[1:]]
    return sorted({row[0] for row in rows if len(row) > 1 and row[1] == _DEFAULT_ROUTE})


def noted_as_managed(host: Host) -> dict[str, str]:
    """The .network file of each managed link, by its number: by the notes that networkd keeps.

    For a networkd that does not answer. These files call themselves private; ADMIN_STATE and
    NETWORK_FILE are the same in systemd 249 to 257. OSError.
    """
    found = {}
    for ifindex in host.names(host.path(NOTES)):
        lines = (host.text(host.path(f"{NOTES}/{ifindex}")) or "").splitlines()
        noted = {key: value for key, _, value in (line.partition("=") for line in lines)}
        if noted.get("ADMIN_STATE", "unmanaged") != "unmanaged":
            found[ifindex] = noted.get("NETWORK_FILE", "")
    return found
