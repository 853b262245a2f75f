"""The files that keep networkd, udev and their kin from the CNI: which, where, and with what in it.

All of them were seen to work together with systemd 249, 252, 255 and 257. Nothing is written here;
each says in its first lines whose it is, and has a checksum: a file that was changed by hand since
is left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.audit import cni_here, uplinks
from agent.audit.audit import MANAGES_ROUTES, MANAGES_RULES, PROCESS, Audit
from agent.audit.checks_of_others import NEEDRESTART, RP_FILTER_GLOBS
from agent.audit.checks_of_restart import ignore_carrier_loss
from agent.audit.host import Host
from agent.audit.processes import running

HEADER = "# Written by `nodemend cni apply`, taken back by `nodemend cni apply --remove`."
_CHECKSUM = "# Checksum of what follows: "
CONF = "etc/systemd/networkd.conf.d/90-cni-guard.conf"
NETWORK = "etc/systemd/network/00-cni-guard.network"
LINK = "etc/systemd/network/00-cni-guard.link"
NETWORK_DIRECTORY, UPLINK_NAME = "etc/systemd/network", "90-cni-guard.conf"
SYSCTL = "etc/sysctl.d/99-zzz-cni-guard.conf"
NETWORK_MANAGER = "etc/NetworkManager/conf.d/90-cni-guard.conf"
NEEDRESTART_FILE = "etc/needrestart/conf.d/90-cni-guard.conf"
_NEXT_HOPS_SINCE = 256  # ManageForeignNextHops=; before, an unknown key
# tmp*: what Cilium calls the pod's end of a link until it is in the pod. veth* is not flannel's
# alone: where another CNI is at work, networkd may go on managing links of that name.
GLOBS: Mapping[str, tuple[str, ...]] = {
    "cilium": ("cilium_*", "lxc*", "tmp*"),
    "flannel": ("flannel.*", "flannel-v6.*", "cni0", "veth*"),
    "calico": ("cali*", "tunl0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali"),
}
_OF_ANY = ("kube-ipvs0", "nodelocaldns")


@dataclass(frozen=True)
class DropIn:
    """One file; `name` has no slash at its beginning."""

    name: str
    body: str

    @property
    def text(self) -> str:
        """The whole of it, with whose it is."""
        return f"{HEADER}\n{_CHECKSUM}{_checksum(self.body)}\n{self.body}"


def is_ours(text: str) -> bool:
    """Whether we wrote it, and nobody changed it since."""
    header, _, rest = text.partition("\n")
    checksum, _, body = rest.partition("\n")
    return header == HEADER and checksum == _CHECKSUM + _checksum(body)


def was_ours(text: str) -> bool:
    """Whether we wrote it, whatever became of it."""
    return text.startswith(HEADER)


def drop_ins(audit: Audit) -> tuple[DropIn, ...]:
    """What this host needs, for its systemd, its CNI and its uplinks. OSError."""
    return tuple(_drop_ins(audit))


def _drop_ins(audit: Audit) -> Iterator[DropIn]:
    host = audit.host
    globs = _globs(host)
    names = " ".join(globs)
    processes = running(host)
    if PROCESS in processes:
        keys = [MANAGES_ROUTES, MANAGES_RULES]
        if audit.version is not None and audit.version >= _NEXT_HOPS_SINCE:
            keys.append("ManageForeignNextHops")
        yield DropIn(CONF, _section("Network", *(f"{key}=no" for key in keys)))
        yield DropIn(
            NETWORK, _section("Match", f"Name={names}") + _section("Link", "Unmanaged=yes")
        )
        for _, file in uplinks.uplinks(audit):
            keep = (
                "KeepConfiguration=yes",
                f"IgnoreCarrierLoss={ignore_carrier_loss(audit.version)}",
            )
            name = f"{NETWORK_DIRECTORY}/{file.path.name}.d/{UPLINK_NAME}"
            yield DropIn(name, _section("Network", *keep))
    policy = ("NamePolicy=", "MACAddressPolicy=none")
    yield DropIn(LINK, _section("Match", f"OriginalName={names}") + _section("Link", *policy))
    if "cilium" in cni_here.here(host):
        lines = (f"net.ipv4.conf.{glob}.rp_filter = 0\n" for glob in RP_FILTER_GLOBS)
        yield DropIn(SYSCTL, "".join(lines))
    if "NetworkManager" in processes:
        devices = ";".join(f"interface-name:{glob}" for glob in globs)
        yield DropIn(NETWORK_MANAGER, _section("keyfile", f"unmanaged-devices+={devices}"))
    if host.is_there(host.path(NEEDRESTART)):
        yield DropIn(NEEDRESTART_FILE, "$nrconf{override_rc}{qr(^systemd-networkd)} = 0;\n")


def _globs(host: Host) -> tuple[str, ...]:
    """Of the CNIs that are here; of all where none is yet."""
    cnis = cni_here.here(host) or tuple(GLOBS)
    return (*(glob for cni in cnis for glob in GLOBS.get(cni, ())), *_OF_ANY)


def _section(name: str, *lines: str) -> str:
    return f"[{name}]\n" + "".join(f"{line}\n" for line in lines)


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]
