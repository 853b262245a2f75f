"""Checks: others that change a CNI's links, or that start networkd anew unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from agent.audit import cni_here
from agent.audit.answer import Answer, no, yes
from agent.audit.audit import Audit
from agent.audit.check import APPLY, Check
from agent.audit.host import Host
from agent.audit.processes import running
from agent.audit.settings import Setting, parse, strongest

# sysctl.d(5): of files with one name the strongest directory's, all sorted by name.
SYSCTL_DIRECTORIES = ("etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d")
_RP_FILTER = re.compile(r"^-?net[./]ipv4[./]conf[./](.+)[./]rp_filter$")
# Cilium's: a packet of a pod comes in by another link than it would go out by.
RP_FILTER_GLOBS = ("cilium_*", "lxc*")
_EXAMPLES = {"cilium_*": "cilium_host", "lxc*": "lxc0123456789ab"}
NETWORK_MANAGER_DIRECTORIES = (
    "etc/NetworkManager/conf.d",
    "run/NetworkManager/conf.d",
    "usr/lib/NetworkManager/conf.d",
)
_VETH_RULE = "usr/lib/udev/rules.d/85-nm-unmanaged.rules"  # NetworkManager's own: not veths
NEEDRESTART, NEEDRESTART_DIRECTORY = "usr/sbin/needrestart", "etc/needrestart"
_OVERRIDE = re.compile(r"override_rc\}\s*\{\s*qr\(\^?systemd-networkd[^)]*\)\s*\}\s*=\s*0")


def _rp_filter(audit: Audit) -> Answer:
    """systemd-sysctl applies the files to each new link, after the CNI has set what it needs."""
    if "cilium" not in cni_here.here(audit.host):
        return yes("there is no CNI here whose links need an rp_filter of their own")
    wrong = [
        f"{glob} gets {setting.value} by {audit.host.shown(setting.path)}, line {setting.line}"
        for glob in RP_FILTER_GLOBS
        if (setting := _rp_filter_of(audit.host, _EXAMPLES[glob])) is not None
        and setting.value != "0"
    ]
    if wrong:
        return no(
            f"rp_filter of Cilium's links is set when they appear: {'; '.join(wrong)}; then the "
            "kernel drops packets of pods that come in by another link than they would go out by",
            f"{APPLY} writes 99-zzz-cni-guard.conf, which comes after all others",
        )
    return yes("no sysctl.d file sets rp_filter of Cilium's links to anything but 0")


def _rp_filter_of(host: Host, name: str) -> Setting | None:
    """What systemd-sysctl sets for a new link: a name beats globs, and what is later the earlier.

    A file's "-net.ipv4.conf.lxc0.rp_filter" without a value takes a link out of the globs.
    """
    found: Setting | None = None
    for setting in sysctl_settings(host):
        pattern = _RP_FILTER.match(setting.key)
        if pattern is None or pattern[1] in ("all", "default"):
            continue
        if fnmatchcase(name, pattern[1]):
            found = setting
    return found


def sysctl_settings(host: Host) -> Iterator[Setting]:
    """In the order in which they are applied. OSError."""
    for path in strongest(host, map(host.path, SYSCTL_DIRECTORIES), ".conf"):
        yield from parse(host.text(path) or "", path)


def _network_manager(audit: Audit) -> Answer:
    host = audit.host
    if "NetworkManager" not in running(host):
        return yes("NetworkManager does not run")
    cnis = cni_here.here(host)
    if not cnis:
        return yes("there is no CNI here")
    globs = _unmanaged_by_network_manager(host)
    is_sparing_veths = host.is_there(host.path(_VETH_RULE))
    exposed = [
        link.glob
        for link in cni_here.LINKS
        if link.cni in cnis
        and not any(fnmatchcase(link.example, glob) for glob in globs)
        and not (is_sparing_veths and link.kind == "veth")
    ]
    if exposed:
        return no(
            f"NetworkManager takes up these links of the CNI: {', '.join(dict.fromkeys(exposed))}",
            f"{APPLY} writes a file that adds them to unmanaged-devices; then "
            "`systemctl reload NetworkManager`",
        )
    return yes("NetworkManager leaves the CNI's links alone")


def _unmanaged_by_network_manager(host: Host) -> list[str]:
    """The globs of interface names in [keyfile] unmanaged-devices; "+=" adds, "=" replaces."""
    parts = strongest(host, map(host.path, NETWORK_MANAGER_DIRECTORIES), ".conf")
    globs: list[str] = []
    for path in [*parts, host.path("etc/NetworkManager/NetworkManager.conf")]:
        for setting in parse(host.text(path) or "", path):
            if setting.section == "keyfile" and setting.key in _UNMANAGED:
                new = [_glob(word) for word in re.split(r"[;,]", setting.value) if word.strip()]
                globs = [*globs, *new] if setting.key.endswith("+") else new
    return globs


_UNMANAGED = ("unmanaged-devices", "unmanaged-devices+")


def _glob(word: str) -> str:
    return word.strip().removeprefix("interface-name:")


def _needrestart(audit: Audit) -> Answer:
    host = audit.host
    if not host.is_there(host.path(NEEDRESTART)):
        return yes("needrestart is not installed")
    if not audit.is_running:
        return yes("systemd-networkd does not run")
    directory = host.path(f"{NEEDRESTART_DIRECTORY}/conf.d")
    files = [host.path(f"{NEEDRESTART_DIRECTORY}/needrestart.conf")]
    files += [directory / name for name in host.names(directory) if name.endswith(".conf")]
    lines = (line for path in files for line in (host.text(path) or "").splitlines())
    if any(_OVERRIDE.search(line) for line in lines if not line.lstrip().startswith("#")):
        return yes("needrestart leaves systemd-networkd alone")
    return no(
        "needrestart starts systemd-networkd anew whenever a library that it uses is upgraded",
        f"{APPLY} writes a file for needrestart that takes it out",
    )


OTHER_CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "cni_rp_filter",
        "no sysctl.d file sets rp_filter of Cilium's links",
        "udev has it applied to each new link, after Cilium has set what it needs",
        _rp_filter,
    ),
    Check(
        "network_manager",
        "NetworkManager does not run, or leaves the CNI's links alone",
        "it sets them down, or gives them addresses",
        _network_manager,
    ),
    Check(
        "needrestart",
        "needrestart is not installed, or leaves systemd-networkd alone",
        "an unattended upgrade of a library is then a start of networkd",
        _needrestart,
    ),
)
