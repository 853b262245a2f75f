"""What a CNI keeps in the host's network, as the kernel tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

# Rules, routes and addresses, and what a link is like: that it is up (admin_down: it is not), its
# rp_filter (sysctl).
EntryKind: TypeAlias = Literal[
    "rule", "route", "address", "mac", "mtu", "name", "master", "admin_down", "sysctl"
]
LinkKind: TypeAlias = Literal["mac", "mtu", "name", "master", "admin_down", "sysctl"]
LINK_KINDS: tuple[LinkKind, ...] = get_args(LinkKind)
# In the order in which they are put back: `lookup local` and its kin first; a link's own before
# what is on it; a route needs the address that its packets leave with.
ENTRY_KINDS: tuple[EntryKind, ...] = (
    *("rule", "name", "mac", "mtu", "master", "admin_down", "sysctl"),
    *("address", "route"),
)


@dataclass(frozen=True)
class Entry:
    """A rule, a route or an address; or one thing that a link is like.

    `payload` is the message's own body in hex, without what ages or is the kernel's to say: by it
    two are the same, and it is what is sent to put one back, protocol and all. Of a link, it is the
    words and the number.
    """

    kind: EntryKind
    payload: str
    family: int
    words: str  # as `ip` would say it, but for the device's name
    table: int = 0
    priority: int = 0  # of a rule; the metric of a route
    protocol: int = 0
    destination: str = ""  # 10.42.1.0/24; "" for everything
    gateway: str = ""
    ifindex: int = 0  # where a route leads, where an address is; 0: nowhere
    looks_up: bool = False  # a rule that leads to a table, not away
    device: str = ""  # of what a link is like: its name at that time
    value: str = ""  # and how it was


@dataclass(frozen=True)
class EntryChange:
    """An entry came or went. `port` is the netlink port of who asked for it; 0: the kernel.

    Of what a link is like, the kernel does not say who changed it: the link's number, negative.
    """

    entry: Entry
    is_there: bool
    port: int
    replaces: bool = False  # another route of its key went, and no message says so


@dataclass(frozen=True)
class HostLink:
    """A link of the host, as one RTM_NEWLINK tells of it."""

    ifindex: int
    name: str
    is_up: bool
    mac: str = ""
    mtu: int = 0
    master: int = 0  # the ifindex of its bridge or VRF; 0: none
    rp_filter: int | None = None  # None: not told


@dataclass(frozen=True)
class FilterChange:
    """rp_filter of a link was written: only a message of its own tells so (RTM_NEWNETCONF)."""

    ifindex: int
    rp_filter: int


@dataclass(frozen=True)
class Requester:
    """Who holds a netlink port, or is likely to have changed a link."""

    pid: int
    process: str
    unit: str  # of the host; "" for a pod's process
    pod_uid: str = ""


@dataclass(frozen=True)
class CniRuntime:
    """Whether a CNI is at work here, and what it says of itself."""

    is_active: bool = False  # k3s, RKE2 or kubelet runs
    # Of the processes that keep the CNI's entries: name, and for how long it runs.
    owner_seconds: Mapping[str, int] = field(default_factory=dict)
    # Their numbers, each in its own pod: the port of the first socket that such a process opens.
    owner_ports: tuple[int, ...] = ()
    pod_network: str = ""  # of the whole cluster, where flannel says it


@dataclass(frozen=True)
class Standing:
    """An entry that is there."""

    entry: Entry
    since_ns: int  # unchanged
    heard_listing: int  # the newest listing asked for when it was last heard of


# asked: who was it? owners_turn: somebody else; the owner may still act. wayless: no device, or no
# next hop. resting: taken away too often. looking: it could be put back; is a CNI still at work?
LossPhase: TypeAlias = Literal["asked", "owners_turn", "wayless", "resting", "looking"]


@dataclass(frozen=True)
class Loss:
    """An entry of a CNI's that was taken away, until it is back or rightly gone."""

    standing: Standing
    cni: str
    lost_ns: int
    port: int
    phase: LossPhase = "asked"
    culprit: str = ""
    due_ns: int = 0  # of owners_turn, resting and wayless
    rested: bool = False  # it is looking after a rest: how often it was put back begins anew
    told: bool = False  # that it was taken away
    waits: int = 0  # for how many times it has been sent to wait for its way


@dataclass(frozen=True)
class CniCounts:
    """What outlives the daemon."""

    interference_total: Mapping[str, int] = field(default_factory=dict)  # by "kind culprit"
    restores_total: Mapping[str, int] = field(default_factory=dict)  # by kind
    restore_failures_total: Mapping[str, int] = field(default_factory=dict)  # by kind
    networkd_restarts_total: int = 0


@dataclass(frozen=True)
class CniExposure:
    """What is known of the host's settings; CniAudited has what each means."""

    wrong: tuple[str, ...] = ()
    fine: tuple[str, ...] = ()
    exposed_rules: int | None = None
    exposed_routes: int | None = None
    managed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CniGuard:
    """All that the guard remembers. Only the counts outlive the daemon.

    What was lost while nobody watched is never put back: the owner may have removed it.
    """

    standing: Mapping[str, Standing] = field(default_factory=dict)  # by payload
    losses: Mapping[str, Loss] = field(default_factory=dict)  # by payload
    in_flight: Mapping[str, Loss] = field(default_factory=dict)  # by payload: being put back
    links: Mapping[int, HostLink] = field(default_factory=dict)  # by ifindex
    runtime: CniRuntime = field(default_factory=CniRuntime)
    listing_asked: int = 0
    listing_answered: int = 0
    listing_again: bool = False
    departed: Mapping[str, int] = field(default_factory=dict)  # payload -> listing_asked then
    departed_links: Mapping[int, int] = field(default_factory=dict)  # ifindex -> the same
    # The port of who took an address, and with it what no message tells of; or that messages of
    # what is gone were lost.
    flushed_by: int = 0
    attempts: int = 0
    restored_ns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # by payload, the last
    counts: CniCounts = field(default_factory=CniCounts)
    exposure: CniExposure = field(default_factory=CniExposure)
