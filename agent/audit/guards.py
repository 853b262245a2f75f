""".network files that are meant to protect a CNI's links, and what they do not do."""

from __future__ import annotations

from agent.audit.audit import Audit
from agent.audit.files import File
from agent.audit.match import SECTION

_PREFIXES = ("cilium", "lxc", "tmp", "flannel", "cni", "veth", "cali", "tunl", "vxlan.cali")
_KINDS = frozenset({"veth", "vxlan"})


def of(audit: Audit) -> list[File]:
    """Those that say that links of a CNI are unmanaged, and nothing else of importance."""
    return [file for file in audit.networks if is_guard(file)]


def is_guard(file: File) -> bool:
    if not file.is_unmanaged:
        return False
    matches = [s for s in file.settings if s.section == SECTION and s.value]
    return bool(matches) and all(_means_a_cni(s.key, s.value) for s in matches)


def in_words(audit: Audit) -> str:
    """That they do not change what a start of networkd deletes; "" where there are none."""
    guards = of(audit)
    if not guards:
        return ""
    names = ", ".join(audit.host.shown(file.path) for file in guards)
    does = "does" if len(guards) == 1 else "do"
    return f". {names} {does} not change that: Unmanaged=yes speaks of the CNI's own links alone"


def _means_a_cni(key: str, value: str) -> bool:
    words = value.split()
    if key == "Name":
        return all(word.startswith(_PREFIXES) for word in words)
    return key in ("Driver", "Kind") and set(words) <= _KINDS
