"""The audit: what the host's settings say, what networkd knows, and what follows of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.audit import cni_here
from agent.audit.files import Choice, File, choose, files
from agent.audit.forecast import Forecast, Manages, forecast
from agent.audit.host import Host
from agent.audit.kernel import Kernel, List, list_kernel, listed
from agent.audit.match import Candidate
from agent.audit.networkd import Ask, Networkd, NetworkdLink, ask, understand
from agent.audit.processes import running
from agent.audit.program import Unanswered
from agent.audit.settings import Setting, is_off, merged
from agent.audit.systemd_version import systemd_version
from agent.audit.upgrades import Pending

PROCESS = "systemd-network"  # comm has 15 characters at most
MANAGES_ROUTES, MANAGES_RULES = "ManageForeignRoutes", "ManageForeignRoutingPolicyRules"


@dataclass(frozen=True)
class Audit:
    """All that several checks need, found out once."""

    host: Host
    version: int | None  # of systemd
    is_running: bool  # networkd
    conf: tuple[Setting, ...]  # networkd.conf with its drop-ins
    conf_problem: str  # why it cannot be read; "" where it can
    networks: tuple[File, ...]
    links: tuple[File, ...]  # .link files, udev's
    networkd: Networkd | None
    kernel: Kernel | None
    unanswered: str  # why one of both is None
    forecast: Forecast | None  # None: `unforetold` says why
    unforetold: str = ""
    upgrades: Mapping[str, tuple[str, str]] | None = None  # None: nobody was asked, or none said


def examine(
    host: Host,
    ask_networkd: Ask = ask,
    list_one: List = listed,
    pending: Pending | None = None,
) -> Audit:
    """Look at everything once. OSError where a directory cannot be read, or no process be seen.

    `pending` takes a few seconds: not for whoever looks again and again.
    """
    version = systemd_version(host)
    is_running = PROCESS in running(host)
    conf, conf_problem = _conf(host)
    networks, links = files(host, ".network", version), files(host, ".link", version)
    networkd, kernel, unanswered = _asked(is_running, ask_networkd, list_one)
    told, unforetold = None, unanswered or conf_problem
    if networkd is not None and kernel is not None and not conf_problem:
        chosen, unforetold = _chosen(host, networkd, networks)
        if not unforetold:
            told = forecast(kernel, networkd, manages(conf), chosen, version)
    return Audit(
        *(host, version, is_running, conf, conf_problem, networks, links),
        *(networkd, kernel, unanswered, told, unforetold),
        pending() if pending is not None and is_running and cni_here.is_here(host) else None,
    )


def _conf(host: Host) -> tuple[tuple[Setting, ...], str]:
    try:
        return merged(host, "networkd.conf"), ""
    except OSError as error:
        name = host.shown(Path(str(error.filename))) if error.filename else "networkd.conf"
        return (), f"{name} cannot be read: {error.strerror or error}"


def manages(conf: tuple[Setting, ...]) -> Manages:
    """What networkd.conf on disk says of rules and routes of others."""
    return Manages(
        rules=not is_off(conf, "Network", MANAGES_RULES),
        routes=not is_off(conf, "Network", MANAGES_ROUTES),
    )


def candidate(link: NetworkdLink) -> Candidate:
    """A link that is there, as networkd knows it. One that has a kind is no hardware, nor is lo."""
    of_hardware = "" if link.kind or link.type == "loopback" else None
    return Candidate(
        (link.name,), link.type, link.kind, link.driver, link.mac, of_hardware, of_hardware
    )


def _asked(
    is_running: bool, ask_networkd: Ask, list_one: List
) -> tuple[Networkd | None, Kernel | None, str]:
    if not is_running:
        return None, None, "systemd-networkd does not run"
    try:
        networkd = understand(ask_networkd())
    except Unanswered as unanswered:
        return None, None, f"systemd-networkd does not say what is its: {unanswered}"
    try:
        return networkd, list_kernel(list_one), ""
    except Unanswered as unanswered:
        return networkd, None, str(unanswered)


def _chosen(
    host: Host, networkd: Networkd, networks: tuple[File, ...]
) -> tuple[dict[str, File], str]:
    """The file for each link; and why it is not known whether networkd would take it, too."""
    chosen: dict[str, File] = {}
    for link in networkd.links:
        choice = choose(networks, candidate(link))
        if not choice.is_known:  # then the one that it has
            choice = Choice(next((f for f in networks if host.shown(f.path) == link.file), None))
        would = _configuring(host, choice)
        if would != link.file:
            has, wants = link.file or "no file", would or "none"
            return {}, f"networkd has {has} for {link.name}, and by the files now it has {wants}"
        if choice.file is not None:
            chosen[link.name] = choice.file
    return chosen, ""


def _configuring(host: Host, choice: Choice) -> str:
    """The file by which networkd would configure a link; "" for none, or Unmanaged=yes."""
    file = choice.file
    return "" if file is None or file.is_unmanaged else host.shown(file.path)
