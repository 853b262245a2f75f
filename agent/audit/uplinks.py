"""The links by which this host is reached, and the .network file of each."""

from __future__ import annotations

from agent.audit.audit import Audit
from agent.audit.files import File
from agent.audit.host import Host

NOTES = "run/systemd/netif/links"
_ROUTES = "proc/net/route"
_DEFAULT_ROUTE = "00000000"


def uplinks(audit: Audit) -> list[tuple[str, File]]:
    """Links that networkd configures with a default route, or others' routes. OSError."""
    if audit.networkd is not None:
        by_name = {link.name: link.file for link in audit.networkd.links if link.is_managed}
    else:
        noted = noted_as_managed(audit.host)
        names = _with_default_route(audit.host)
        by_name = {name: noted.get(_ifindex(audit.host, name), "") for name in names}
    found = []
    for name in sorted({*_with_default_route(audit.host), *_with_routes_of_others(audit)}):
        path = by_name.get(name, "")
        file = next((f for f in audit.networks if path and audit.host.shown(f.path) == path), None)
        if file is not None:
            found.append((name, file))
    return found


def _with_routes_of_others(audit: Audit) -> list[str]:
    if audit.networkd is None or audit.kernel is None:
        return []
    own = {link.name: link.routes for link in audit.networkd.links if link.is_managed}
    routes = audit.kernel.routes
    return [r.device for r in routes if r.device in own and r.words not in own[r.device]]


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
