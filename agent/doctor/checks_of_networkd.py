"""Checks: what systemd-networkd takes from the CNI, and what keeps it from that.

Sources: networkd.conf(5) and systemd.network(5); what is said of restarts and carrier losses was
seen with systemd 249, 252, 255 and 257.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from agent.audit.answer import Answer, no, unknown, yes
from agent.audit.processes import running, started_timestamp_seconds
from agent.audit.settings import Setting, by_name, is_off, is_on, last, merged, of_file, says_no
from agent.audit.systemd_version import systemd_version
from agent.doctor.check import Check
from agent.doctor.findings import Findings
from agent.doctor.machine import Machine

NETWORKD_PROCESS = "systemd-network"  # comm has 15 characters at most
CNI_LINKS = ("cilium_*", "lxc*", "flannel*", "cni0", "veth*", "cali*", "tunl0", "vxlan.calico")
_CNI_DIRECTORIES = ("etc/cni/net.d", "var/lib/rancher/k3s/agent/etc/cni/net.d")
_CNI_PREFIXES = ("cilium", "lxc", "tmp", "flannel", "cni", "veth", "cali", "tunl", "vxlan.cali")
_NETWORK = "network"  # where .network files are, below systemd's directories
_FOREIGN = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
_EVERY_CARRIER_LOSS = 249  # the version that also cleans up whenever a carrier is lost
_IGNORE_TIME_SINCE = 250  # before, IgnoreCarrierLoss= knew only yes and no


def _rules_and_routes(findings: Findings) -> Answer:
    machine = findings.machine
    idle = _leaves_all_alone(machine)
    if idle:
        return yes(idle)
    settings = merged(machine, "networkd.conf")
    missing = [key for key in _FOREIGN if not is_off(settings, "Network", key)]
    if not missing:
        return _in_force(machine, settings)
    if not _cni_is_here(machine):
        return yes("no CNI is set up here, whose rules and routes networkd could delete")
    version = systemd_version(machine)
    when = "when it starts, and when it configures a link anew"
    if version == _EVERY_CARRIER_LOSS:
        when += ", and (systemd 249) at every carrier loss"
    what = {_FOREIGN[0]: "routes on its links", _FOREIGN[1]: "ip rules"}
    return no(
        f"systemd-networkd deletes other programs' {' and '.join(what[k] for k in missing)} "
        f"{when}: all but those of protocol kernel. Cilium from 1.14 marks its own so, flannel and "
        f"Calico do not.{_guards_in_words(machine)}",
        f"write {' and '.join(f'{key}=no' for key in missing)} below [Network] in "
        "/etc/systemd/networkd.conf.d/90-cni-guard.conf; see uplink_kept, too; then restart "
        "networkd once, while you watch: it reads this only when it starts, and a start is what "
        "does the harm",
    )


def _in_force(machine: Machine, settings: tuple[Setting, ...]) -> Answer:
    """networkd reads networkd.conf when it starts, and never again."""
    paths = sorted({s.path for s in settings if s.key in _FOREIGN})
    started = started_timestamp_seconds(machine, running(machine)[NETWORKD_PROCESS])
    late = [machine.shown(path) for path in paths if path.stat().st_mtime > started]
    if late:
        return unknown(
            f"{', '.join(late)} tells networkd to leave rules and routes of others alone, but was "
            "written after networkd started, which reads it only then",
            "systemctl restart systemd-networkd, once, while you watch; see uplink_kept first",
        )
    where = ", ".join(machine.shown(path) for path in paths)
    return yes(f"{' and '.join(f'{key}=no' for key in _FOREIGN)} ({where})")


def _guards_in_words(machine: Machine) -> str:
    """What is meant to protect the CNI, and what it does not do."""
    guards = [path for path in by_name(machine, _NETWORK, ".network") if _is_guard(machine, path)]
    if not guards:
        return ""
    names = ", ".join(machine.shown(path) for path in guards)
    words = (
        f" {names} {'does' if len(guards) == 1 else 'do'} not change that: Unmanaged=yes speaks "
        "of the CNI's own links alone"
    )
    ignored = [
        machine.shown(path)
        for path in guards
        if last(of_file(machine, path, _NETWORK), "Link", "MACAddressPolicy")
    ]
    if ignored:
        words += f" (and MACAddressPolicy= in {', '.join(ignored)} is ignored: it is for .link)"
    return words


def _is_guard(machine: Machine, path: Path) -> bool:
    """Whether a .network file only says that links of a CNI are unmanaged."""
    settings = of_file(machine, path, _NETWORK)
    if not is_on(settings, "Link", "Unmanaged"):
        return False
    matches = [s for s in settings if s.section == "Match"]
    return bool(matches) and all(_means_a_cni(match) for match in matches)


def _means_a_cni(match: Setting) -> bool:
    words = match.value.split()
    if match.key == "Name":
        return all(word.startswith(_CNI_PREFIXES) for word in words)
    return match.key in ("Driver", "Kind") and set(words) <= {"veth", "vxlan"}


def _uplink_kept(findings: Findings) -> Answer:
    machine = findings.machine
    idle = _leaves_all_alone(machine)
    if idle:
        return yes(idle)
    if not _cni_is_here(machine):
        return yes("no CNI is set up here")
    uplinks = sorted(
        {u.layer3_device for u in findings.look.state.uplinks.values() if u.default_route}
    )
    files = {device: _network_file(machine, device) for device in uplinks}
    exposed = [
        (device, path, missing)
        for device, path in files.items()
        if path is not None and (missing := _missing(machine, path))
    ]
    if not exposed:
        return yes("no uplink is configured by networkd without keeping what it has")
    version = systemd_version(machine)
    time = "15s" if version is None or version >= _IGNORE_TIME_SINCE else "yes"
    values = {
        "KeepConfiguration": "KeepConfiguration=yes",
        "IgnoreCarrierLoss": f"IgnoreCarrierLoss={time}",
    }
    found = ", ".join(
        f"{device} ({machine.shown(path)} without {' and '.join(f'{key}=' for key in missing)})"
        for device, path, missing in exposed
    )
    to_do = "; ".join(
        f"below [Network] in /etc/systemd/network/{path.name}.d/90-cni-guard.conf: "
        f"{' '.join(values[key] for key in missing)}"
        for _, path, missing in exposed
    )
    return no(
        "a restart of networkd, or a short carrier loss, can take others' addresses (VIPs) from "
        f"the uplink, and with its last address all its routes: {found}",
        f"{to_do}; see cni_rules, too; then restart networkd once, while you watch",
    )


def _missing(machine: Machine, path: Path) -> list[str]:
    settings = of_file(machine, path, _NETWORK)
    return [
        key
        for key in ("KeepConfiguration", "IgnoreCarrierLoss")
        if says_no(last(settings, "Network", key))
    ]


def _network_file(machine: Machine, device: str) -> Path | None:
    """The .network file by which networkd configures a link; None where it does not.

    The kernel's number of the link names networkd's note on it. That file calls itself private;
    its ADMIN_STATE and NETWORK_FILE are the same in systemd 249 to 257.
    """
    ifindex = (machine.text(machine.path(f"sys/class/net/{device}/ifindex")) or "").strip()
    state = _link_state(machine, machine.path(f"run/systemd/netif/links/{ifindex}"))
    name = state.get("NETWORK_FILE", "")
    if state.get("ADMIN_STATE", "unmanaged") == "unmanaged" or not name:
        return None
    return machine.path(name.lstrip("/"))


def _link_state(machine: Machine, path: Path) -> dict[str, str]:
    lines = (machine.text(path) or "").splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def _leaves_all_alone(machine: Machine) -> str | None:
    """Why networkd takes nothing from anybody here; None where it may."""
    if NETWORKD_PROCESS not in running(machine):
        return "systemd-networkd does not run"
    links = machine.path("run/systemd/netif/links")
    states = [_link_state(machine, links / name) for name in machine.names(links)]
    if states and all(s.get("ADMIN_STATE", "") == "unmanaged" for s in states):
        return "systemd-networkd manages no link"
    return None


def _cni_is_here(machine: Machine) -> bool:
    if any(machine.names(machine.path(directory)) for directory in _CNI_DIRECTORIES):
        return True
    links = machine.names(machine.path("sys/class/net"))
    return any(fnmatchcase(link, pattern) for link in links for pattern in CNI_LINKS)


NETWORKD_CHECKS: tuple[Check, ...] = (
    Check(
        "cni_rules",
        "networkd does not run, or leaves rules and routes of others alone",
        "otherwise its next restart, as in an upgrade of systemd, can cut pods off; .network files "
        "with Unmanaged=yes for the CNI's links do not change that",
        _rules_and_routes,
    ),
    Check(
        "uplink_kept",
        "the uplink's .network file says `KeepConfiguration=` and `IgnoreCarrierLoss=`",
        "otherwise a restart of networkd or a short carrier loss takes VIPs, and can take all "
        "routes, from the uplink",
        _uplink_kept,
    ),
)
