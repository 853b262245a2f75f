"""Checks: what networkd and udev do to the CNI's own links, those that are there and those to come.

Of a link that is there networkd says itself by which file it manages it. Of those to come, and of
.link files, which udev reads when a link appears, only the files can be asked (match.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.audit import cni_here, guards
from agent.audit.answer import Answer, no, unknown, yes
from agent.audit.audit import Audit
from agent.audit.check import APPLY, Check
from agent.audit.cni_here import LINKS, CniLink
from agent.audit.files import Choice, File, choose
from agent.audit.match import KIND_SINCE, SECTION, fits
from agent.audit.settings import Setting

DEFAULT_LINK_FILE = "99-default.link"  # systemd's own
# What a .network file does to a link that it matches, most harmful first.
_HARMS = (
    "Address",
    "DHCP",
    "Bridge",
    "Bond",
    "VRF",
    "MTUBytes",
    "MACAddress",
    "LinkLocalAddressing",
)
# Keys that stand where nobody reads them: file, section, key -> what is meant.
_MISPLACED = {
    (".network", "Link", "MACAddressPolicy"): "is for .link files",
    (".network", "Link", "NamePolicy"): "is for .link files",
    (".network", "Link", "Name"): "is for .link files",
    (".network", SECTION, "OriginalName"): "is for .link files; here it is Name=",
    (".network", "Network", "Unmanaged"): "belongs below [Link]",
    (".network", SECTION, "Unmanaged"): "belongs below [Link]",
    (".network", "Network", "ManageForeignRoutes"): "is for networkd.conf",
    (".network", "Network", "ManageForeignRoutingPolicyRules"): "is for networkd.conf",
    (".link", "Link", "Unmanaged"): "is for .network files",
    (".link", SECTION, "Name"): "is for .network files; here it is OriginalName=",
}


def _managed(audit: Audit) -> Answer:
    if not audit.is_running:
        return yes("systemd-networkd does not run")
    cnis = cni_here.here(audit.host)
    if not cnis:
        return yes("there is no CNI here")
    problems = [*_managed_now(audit, cnis), *_managed_to_come(audit, cnis)]
    if problems:
        return no("; ".join(dict.fromkeys(problems)), _CURE)
    doubts = list(_doubts(audit, cnis))
    if doubts:
        return unknown("; ".join(dict.fromkeys(doubts)), _CURE)
    return yes(f"no .network file is for a link of {' or '.join(cnis)}")


_CURE = f"{APPLY} writes 00-cni-guard.network, which comes before all others (--dry-run shows it)"


def _managed_now(audit: Audit, cnis: tuple[str, ...]) -> Iterator[str]:
    for link in audit.networkd.links if audit.networkd is not None else ():
        if link.is_managed and any(cni_here.is_called(link.name, each) for each in _links_of(cnis)):
            file = next((f for f in audit.networks if audit.host.shown(f.path) == link.file), None)
            harm = _harm(file) if file is not None else ""
            yield f"{link.name} is managed by networkd, by {link.file}{harm}"


def _managed_to_come(audit: Audit, cnis: tuple[str, ...]) -> Iterator[str]:
    for link in _links_of(cnis):
        choice = choose(audit.networks, link.candidate)
        if choice.is_known and choice.file is not None and not choice.file.is_unmanaged:
            what_of_it = f"{_harm(choice.file)}{_too_late(audit, choice, link)}"
            where = _where(audit, choice.file)
            yield f"{link.glob} ({link.kind}) would be managed by {where}{what_of_it}"


def _doubts(audit: Audit, cnis: tuple[str, ...]) -> Iterator[str]:
    for link in _links_of(cnis):
        choice = choose(audit.networks, link.candidate)
        if not choice.is_known and not _is_spared_anyway(choice):
            names = " or ".join(audit.host.shown(file.path) for file in choice.because_of)
            yield f"whether {names} is for {link.glob} cannot be told from its [Match]"


def _is_spared_anyway(choice: Choice) -> bool:
    """Whichever of them it is."""
    possible = (*choice.because_of, *((choice.file,) if choice.file is not None else ()))
    return all(file.is_unmanaged for file in possible)


def _too_late(audit: Audit, choice: Choice, link: CniLink) -> str:
    """A file that would have spared the link, had it come first."""
    assert choice.file is not None
    later = audit.networks[audit.networks.index(choice.file) + 1 :]
    spared = next(
        (f for f in guards.of(audit) if f in later and fits(f.match, link.candidate) == "yes"), None
    )
    if spared is None:
        return ""
    return f"; {audit.host.shown(spared.path)}, which would spare it, sorts after that one"


def _harm(file: File) -> str:
    found = [s for key in _HARMS for s in file.settings if s.key == key]
    said = ", ".join(f"{s.key}={s.value} (line {s.line})" for s in found[:3])
    return f", which gives it {said}" if said else ""


def _renamed(audit: Audit) -> Answer:
    """udev applies the first .link file that fits: its name and its MAC, when the link appears."""
    cnis = cni_here.here(audit.host)
    problems, doubts = list[str](), list[str]()
    for link in _links_of(cnis):
        choice = choose(audit.links, link.candidate)
        names = " or ".join(audit.host.shown(file.path) for file in choice.because_of)
        if not choice.is_known:
            doubts.append(f"whether {names} is for {link.glob} cannot be told from its [Match]")
        elif choice.file is not None and (set_to := _what_it_sets(choice.file)):
            problems.append(f"{_where(audit, choice.file)} is for {link.glob}: {set_to}")
    if problems:
        cure = f"{APPLY} writes 00-cni-guard.link, which comes before all others"
        return no("; ".join(dict.fromkeys(problems)), cure)
    if doubts:
        return unknown("; ".join(dict.fromkeys(doubts)))
    return yes("no .link file gives a link of a CNI another name or MAC")


def _what_it_sets(file: File) -> str:
    """Systemd's own file gives a MAC only to links whose maker chose none: CNIs choose one."""
    if file.path.name == DEFAULT_LINK_FILE and not any(s.path != file.path for s in file.settings):
        return ""
    keys = ("Name", "MACAddress", "MTUBytes")
    found = [s for key in keys if (s := file.last("Link", key)) is not None and s.value]
    return ", ".join(f"{s.key}={s.value} (line {s.line})" for s in found)


def _misplaced(audit: Audit) -> Answer:
    found = [
        f"{audit.host.shown(s.path)}, line {s.line}: {s.key}= below [{s.section}] {why}"
        for suffix, files in ((".network", audit.networks), (".link", audit.links))
        for file in files
        for s in file.settings
        if (why := _why_ignored(audit, suffix, s))
    ]
    if found:
        return no("\n".join(found), "take these lines out: systemd ignores them, with a warning")
    return yes("every key that is known here stands where it is read")


def _why_ignored(audit: Audit, suffix: str, setting: Setting) -> str:
    is_kind = (setting.section, setting.key) == (SECTION, "Kind")
    if is_kind and audit.version is not None and audit.version < KIND_SINCE:
        return f"is not known before systemd {KIND_SINCE}: the file is ignored"
    return _MISPLACED.get((suffix, setting.section, setting.key), "")


def _unreadable(audit: Audit) -> Answer:
    found = [f for f in (*audit.networks, *audit.links) if f.problem]
    words = [f"{audit.host.shown(file.path)}: {file.problem}" for file in found]
    words += [audit.conf_problem] if audit.conf_problem else []
    if words:
        return unknown("; ".join(words), "what such a file says is not known here, nor to systemd")
    return yes("every .network and .link file, and networkd.conf, can be read")


def _where(audit: Audit, file: File) -> str:
    line = next((s.line for s in file.settings if s.section == SECTION), 0)
    return f"{audit.host.shown(file.path)} (line {line})" if line else audit.host.shown(file.path)


def _links_of(cnis: tuple[str, ...]) -> list[CniLink]:
    return [link for link in LINKS if link.cni in cnis]


LINK_CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "cni_links",
        "networkd manages no link of the CNI, and no .network file is for those to come",
        "it would give them addresses, another MTU or another master",
        _managed,
    ),
    Check(
        "cni_names",
        "no .link file gives a link of the CNI another name, MAC or MTU",
        "the CNI does not find its link again, and packets for the old MAC are dropped",
        _renamed,
    ),
    Check(
        "unreadable_files",
        "every .network and .link file, and networkd.conf, can be read",
        "what it would do is not known; systemd ignores it, with a warning",
        _unreadable,
    ),
    Check(
        "misplaced_keys",
        "no key of a .network or .link file stands where it is ignored",
        "who wrote it believes in a protection that is not there",
        _misplaced,
    ),
)
