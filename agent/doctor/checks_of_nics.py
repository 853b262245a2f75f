"""Checks: which NICs would be watched, and how their adapters are set."""

from __future__ import annotations

from agent.audit.answer import Answer, no, unknown, yes
from agent.audit.check import Check
from agent.config import Config
from agent.decide.matching import is_matched, is_usb
from agent.decide.r8152 import is_on_generic_driver
from agent.doctor.findings import Findings
from agent.doctor.note import Note
from agent.model.policy import Policy
from agent.model.state import Nic


def _watched(findings: Findings) -> Answer:
    look = findings.look
    if look.present:
        return yes(", ".join(_in_words(nic) for nic in look.present))
    if look.unread:
        return unknown(f"no NIC was found, but not all could be read: {'; '.join(look.unread)}")
    others = ", ".join(b.latest.device for b in look.state.bystanders.values())
    rest = f"; other links: {others}" if others else ""
    return no(
        f"no NIC would be watched: none is USB, and none has a default route{rest}",
        "`lsusb` and `ip link`: is the adapter plugged in, and is its driver loaded? "
        "Is it in usb_nic.ignore?",
    )


def _in_words(nic: Nic) -> str:
    device = nic.link.device if nic.link else "gone"
    judged = "judged" if nic.senses.health else "not judged"
    hardware = nic.adapter.driver or "no driver"
    if nic.adapter.usb_path:
        hardware += f", USB {nic.adapter.vendor_id}:{nic.adapter.product_id}"
    name = device if nic.nic == nic.adapter.connector else f"{nic.nic} on {device}"
    return f"{name} ({hardware}; {judged})"


def _readable(findings: Findings) -> Answer:
    if findings.look.unread:
        return unknown("; ".join(findings.look.unread))
    return yes("the hardware behind every physical link could be read")


def _matched(findings: Findings) -> Answer:
    policy = _policy(findings)
    usb = [nic for nic in findings.look.present if is_usb(nic.adapter)]
    matched = [nic for nic in usb if _is_matched(nic, policy)]
    if matched:
        return yes(", ".join(_in_words(nic) for nic in matched))
    if not policy.match:
        return yes("usb_nic.match is empty: nothing is ever done to a NIC")
    if not usb:
        return yes("there is no USB NIC here")
    return no(
        f"no item of usb_nic.match fits a NIC that is here: {_names(usb)}",
        "compare driver, mac, vendor_id, product_id and connector with `nodemend status`",
    )


def _own_driver(findings: Findings) -> Answer:
    """The vendor's configuration, the first, is that for r8152; the second is the generic one."""
    generic = [nic for nic in findings.look.present if is_on_generic_driver(nic.adapter)]
    if not generic:
        return yes("no adapter of Realtek's is on a generic driver")
    found = ", ".join(f"{_device(nic)} ({nic.adapter.driver})" for nic in generic)
    cycle = "; ".join(
        f"echo 1 > /sys/bus/usb/devices/{nic.adapter.usb_path}/bConfigurationValue"
        for nic in generic
    )
    return no(
        f"on a generic driver, where r8152 belongs: {found}. "
        "It tells the kernel nothing of the link, and has no settings",
        "is there an r8152 (`modinfo r8152`)? Then, from the console, since the link is lost for "
        f"a moment and comes back set down: `{cycle}`",
    )


def _awake(findings: Findings) -> Answer:
    policy = _policy(findings)
    asleep = [
        nic
        for nic in findings.look.present
        if nic.adapter.power_control == "auto" and _is_matched(nic, policy)
    ]
    if not asleep:
        return yes("no NIC that is matched may be suspended")
    if policy.mode == "remediate":
        return yes(f"{_names(asleep)} may be suspended; nodemend switches that off (step tune)")
    paths = ", ".join(f"/sys/bus/usb/devices/{n.adapter.usb_path}/power/control" for n in asleep)
    return no(
        f"USB autosuspend is on for {_names(asleep)}: some adapters drop their carrier when idle",
        f"`mode: remediate` has nodemend switch it off; by hand, write `on` to {paths}",
    )


def _only_uplink(findings: Findings) -> str | None:
    uplinks = findings.look.state.uplinks
    carriers = {i for i, uplink in uplinks.items() if uplink.default_route}
    usb = [nic for nic in findings.look.present if is_usb(nic.adapter)]
    only = [nic for nic in usb if nic.link and {nic.link.ifindex} == carriers]
    if not only:
        return None
    return (
        f"{_names(only)} is this node's only way out, and it is USB: when it drops, SSH and the "
        "scrape drop with it. What happened is then in the journal, and counted afterwards"
    )


def _without_own_driver(findings: Findings) -> str | None:
    """0bda:8157 is not in rtl8152_table up to Linux 6.18 (drivers/net/usb/r8152.c)."""
    ids = ("0bda", "8157")
    found = [
        nic
        for nic in findings.look.present
        if (nic.adapter.vendor_id, nic.adapter.product_id) == ids and nic.adapter.driver != "r8152"
    ]
    if not found:
        return None
    return (
        f"{_names(found)} is an RTL8157 on {found[0].adapter.driver or 'no driver'}: r8152 of "
        "Linux up to 6.18 does not know it, and a generic driver says nothing of the link"
    )


def _device(nic: Nic) -> str:
    return nic.link.device if nic.link else nic.nic


def _names(nics: list[Nic]) -> str:
    return ", ".join(_device(nic) for nic in nics)


def _is_matched(nic: Nic, policy: Policy) -> bool:
    return nic.link is not None and is_matched(policy, nic.adapter, nic.link.mac)


def _policy(findings: Findings) -> Policy:
    """A configuration that is wrong is told by its own check; the NICs are those of none."""
    return findings.config.policy if isinstance(findings.config, Config) else Policy()


NIC_CHECKS: tuple[Check[Findings], ...] = (
    Check(
        "watched",
        "there is a NIC that would be watched: a USB one, or one with a default route",
        "without one there is nothing that nodemend could tell of",
        _watched,
    ),
    Check(
        "hardware_read",
        "the hardware behind every physical link can be read",
        "a NIC whose hardware is unknown is not watched",
        _readable,
    ),
    Check(
        "matched",
        "`usb_nic.match`, if it is given, fits one of the USB NICs that are here",
        "a typing error in it leaves the NIC without its name and without repairs",
        _matched,
    ),
    Check(
        "own_driver",
        "every Realtek adapter that r8152 knows is on r8152, not on `cdc_ncm` or `cdc_ether`",
        "the generic driver says nothing when the link goes, and has no settings",
        _own_driver,
    ),
    Check(
        "autosuspend",
        "`power/control` of no matched NIC is `auto`, or nodemend may change that",
        "some adapters drop their carrier when they are suspended",
        _awake,
    ),
)
NIC_NOTES: tuple[Note, ...] = (
    Note("only_uplink", "whether the only default route leads through a USB NIC", _only_uplink),
    Note("own_driver_missing", "whether an adapter is too new for r8152", _without_own_driver),
)
