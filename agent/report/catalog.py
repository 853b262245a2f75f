"""The catalog: every event with its message id, its line, and its page of the runbook.

One table. The journal lines come from it, systemd/nodemend.catalog (so that `journalctl -x`
is the runbook) and docs/events.md are generated from it: `make generated`.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from agent.model import verdicts
from agent.model.verdicts import Verdict

FIELD_PREFIX = "NODEMEND_"
_COLUMNS = 76  # systemd's own catalogs (docs/CATALOG.md)

ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6  # syslog(3)


@dataclass(frozen=True)
class Event:
    """One kind of event. `line` is filled from the verdict's fields; `@FIELD@` by journalctl."""

    name: str
    message_id: str
    priority: int
    line: str
    subject: str
    cause: str
    done: str
    to_do: str


EVENTS: Mapping[type, Event] = {
    verdicts.WatchBegan: Event(
        name="watch_began",
        message_id="7f0c5a6c43914a1e89a2b23594394dfd",
        priority=NOTICE,
        line="nodemend {version} watches {watched} in mode {mode}. Other links: {bystanders}. "
        "May not see: {blind_spots}",
        subject="nodemend began to watch",
        cause="The daemon started and has looked at every network link once.",
        done="USB NICs are watched from now on; changes of their links are counted and logged. "
        "Links that are no USB NIC are left alone.",
        to_do="If a USB NIC is missing here, see what `lsusb` and `ip link` say of it, and "
        "whether usb_nic.ignore in the configuration names it. What the daemon may not see "
        "here is named in the line.",
    ),
    verdicts.WatchEnded: Event(
        name="watch_ended",
        message_id="3b1d9ebe41424180a8d921c3c7ffef94",
        priority=NOTICE,
        line="nodemend ends: {reason}",
        subject="nodemend ended",
        cause="The daemon was told to end.",
        done="Its counts are saved. Until it runs again nobody watches; carrier changes of a NIC "
        "that stays plugged in are counted by the kernel meanwhile and taken in at the start.",
        to_do="Nothing, if it was meant. Otherwise: systemctl start nodemend.",
    ),
    verdicts.NicFound: Event(
        name="nic_found",
        message_id="344b84be594b4cff86ab9b572b4d0415",
        priority=INFO,
        line="{device} is a USB NIC ({driver}, {vendor_id}:{product_id}, {mac}) on {nic}",
        subject="USB NIC @NODEMEND_DEVICE@ is watched",
        cause="A USB network adapter was found at connector @NODEMEND_NIC@.",
        done="Its present counters are the baseline; what happens from now on is counted.",
        to_do="Nothing. To give it a name, or to allow repairs, add it to usb_nic.match.",
    ),
    verdicts.NicReturned: Event(
        name="nic_returned",
        message_id="c070c0a7d67f400ca45feb95d09db867",
        priority=NOTICE,
        line="{device} is back on {nic} as interface {ifindex} ({driver})",
        subject="USB NIC @NODEMEND_NIC@ is back",
        cause="The adapter was enumerated anew. The kernel sees a new interface: new ifindex, "
        "counters at zero, and administratively down until somebody sets it up.",
        done="The counts go on where they were.",
        to_do="Check that it has its name and its addresses again "
        "(`ip addr show @NODEMEND_DEVICE@`). If it goes and comes repeatedly, suspect cable, "
        "port, power or heat.",
    ),
    verdicts.NicDisconnected: Event(
        name="nic_disconnected",
        message_id="d1f0e3a3bcc740689de19206585d62f8",
        priority=WARNING,
        line="{device} on {nic} is gone (disconnect number {disconnects_total})",
        subject="USB NIC @NODEMEND_DEVICE@ is gone",
        cause="The kernel removed the interface: the adapter was unplugged, fell off the bus, "
        "was reset into another configuration, or its driver was unbound.",
        done="The disconnect is counted. If this was the node's only link, the node is offline "
        "until the adapter is back.",
        to_do="Read the kernel's lines around this moment (`journalctl -k`): `USB disconnect` "
        "means that the device left the bus; `device descriptor read/64, error` that it does "
        "not come back. Then try another port or cable, and check power.",
    ),
    verdicts.NicGoneUnobserved: Event(
        name="nic_gone_unobserved",
        message_id="1ac397c3965443078daa991791b4c532",
        priority=WARNING,
        line="{device} on {nic} went while nobody watched (disconnect number {disconnects_total}, "
        "gap number {unobserved_gaps_total})",
        subject="USB NIC @NODEMEND_DEVICE@ went while nobody watched",
        cause="The interface that was watched before is not there any more, and its removal was "
        "not seen: the daemon was not running, or messages were lost.",
        done="One disconnect and one gap are counted; there may have been more.",
        to_do="See `journalctl -k` for what happened meanwhile.",
    ),
    verdicts.CarrierLost: Event(
        name="carrier_lost",
        message_id="427d0b7cb2f34262855d952861bd8de0",
        priority=WARNING,
        line="{device} on {nic} lost its carrier {losses} time(s), {carrier_losses_total} in all",
        subject="USB NIC @NODEMEND_DEVICE@ lost its carrier",
        cause="The adapter reports no link: cable, the switch port or the switch itself, the "
        "adapter's Ethernet side, or energy-saving modes (EEE, USB autosuspend).",
        done="Each loss is counted from the kernel's own counter, also those that share one "
        "message. An administrative down is no loss.",
        to_do="One loss while a switch restarts is normal. If it repeats: another cable, another "
        "switch port, EEE off; if the other nodes lost theirs too, look at the switch.",
    ),
    verdicts.CarrierReturned: Event(
        name="carrier_returned",
        message_id="226ceac611ca45d6b57712af7b7ce235",
        priority=NOTICE,
        line="{device} on {nic} has its carrier back ({flaps_total} flaps in all)",
        subject="USB NIC @NODEMEND_DEVICE@ has its carrier back",
        cause="The link is up again after a loss.",
        done="Loss and return together are counted as a flap.",
        to_do="Nothing, unless it repeats: see carrier_lost.",
    ),
    verdicts.SourceLostMessages: Event(
        name="source_lost_messages",
        message_id="9644fee8fb3b4602b8d8172576325e9b",
        priority=WARNING,
        line="{source} lost messages: {reason}; everything is read anew",
        subject="nodemend lost messages from @NODEMEND_SOURCE@",
        cause="More changes at once than the receive buffer holds, or an unreadable message.",
        done="The source was opened anew and all links are listed. Carrier counts stay exact, "
        "since the kernel keeps them; the moment of a change is not known.",
        to_do="Nothing, if rare. If it repeats, something creates or changes links in a storm: "
        "`ip monitor link` shows what.",
    ),
    verdicts.ReadingFailed: Event(
        name="reading_failed",
        message_id="ad567f6faf384844b39d57c3eb2b6a8f",
        priority=WARNING,
        line="cannot read {question}: {reason}",
        subject="nodemend could not read @NODEMEND_QUESTION@",
        cause="The system did not answer, or not in time. A hung adapter can hold the kernel's "
        "RTNL lock for many seconds; then `ip link` hangs as well.",
        done="It is asked again.",
        to_do="If `ip link` hangs too, read `journalctl -k` for the adapter's control errors.",
    ),
    verdicts.StateSetAside: Event(
        name="state_set_aside",
        message_id="35df80002fc04863aa5b7aa015785494",
        priority=WARNING,
        line="the saved state cannot be used ({reason}); it is now {path}",
        subject="nodemend's saved state was set aside",
        cause="The state file is damaged, unreadable, or was written by a newer version.",
        done="It is kept at @NODEMEND_PATH@; counts start anew.",
        to_do="After a downgrade: nothing. Otherwise check the disk (`journalctl -k`, `df -h`).",
    ),
    verdicts.StepWithheld: Event(
        name="step_withheld",
        message_id="7308ba16dece48e187027dae0f2e2843",
        priority=NOTICE,
        line="would have taken step {step} on {device} ({nic}): {action}; mode is observe",
        subject="nodemend would have taken step @NODEMEND_STEP@",
        cause="The configuration matches this NIC, and the step is due.",
        done="Nothing: in mode observe nothing is ever changed.",
        to_do="To have it done, set `mode: remediate` in the configuration.",
    ),
    verdicts.StepBegan: Event(
        name="step_began",
        message_id="4bf1a4e206d643b1a9e85b20ff42fdfb",
        priority=NOTICE,
        line="step {step} on {device} ({nic}): {action}",
        subject="nodemend takes step @NODEMEND_STEP@ on @NODEMEND_DEVICE@",
        cause="Mode is remediate, the configuration matches this NIC, and the step is due.",
        done="The step is written to disk first, then carried out, then verified.",
        to_do="Nothing; the next line says what came of it.",
    ),
    verdicts.StepVerified: Event(
        name="step_verified",
        message_id="72f9e8cc69424f758acb229acb8da41f",
        priority=NOTICE,
        line="step {step} on {device} ({nic}) is verified",
        subject="Step @NODEMEND_STEP@ on @NODEMEND_DEVICE@ is verified",
        cause="The step was carried out, and a fresh reading shows its effect.",
        done="Nothing more is needed.",
        to_do="Nothing.",
    ),
    verdicts.StepFailed: Event(
        name="step_failed",
        message_id="76cc3a08af6344fea7fac804394a446a",
        priority=ERROR,
        line="step {step} on {device} ({nic}) {outcome}: {detail}",
        subject="Step @NODEMEND_STEP@ on @NODEMEND_DEVICE@ did not succeed",
        cause="The system refused it, it took too long, the device changed meanwhile, or no "
        "effect could be seen.",
        done="It is not repeated for this enumeration of the device.",
        to_do="The line says why. By hand: see `power/control` of the device under "
        "/sys/bus/usb/devices.",
    ),
}


def line(verdict: Verdict) -> str:
    """The event in one sentence."""
    words = {key: _in_words(value) for key, value in _values(verdict).items()}
    return EVENTS[type(verdict)].line.format(**words)


def fields(verdict: Verdict) -> dict[str, str]:
    """The journal fields of an event, NODEMEND_EVENT first."""
    values = {FIELD_PREFIX + key.upper(): _in_words(v) for key, v in _values(verdict).items()}
    return {f"{FIELD_PREFIX}EVENT": EVENTS[type(verdict)].name, **values}


def catalog_text() -> str:
    """The whole of systemd/nodemend.catalog (format: systemd's docs/CATALOG.md)."""
    entries = []
    for event in EVENTS.values():
        header = (
            f"-- {event.message_id}\nSubject: {event.subject}\nDefined-By: nodemend\n"
            "Support: journalctl -u nodemend"
        )
        paragraphs = (event.cause, f"What was done: {event.done}", f"What to do: {event.to_do}")
        body = "\n\n".join(textwrap.fill(text, _COLUMNS) for text in paragraphs)
        entries.append(f"{header}\n\n{body}\n")
    return "# Generated from agent/report/catalog.py by `make generated`.\n\n" + "\n".join(entries)


def events_page() -> str:
    """The whole of docs/events.md."""
    introduction = (
        "# Events\n\nGenerated from `agent/report/catalog.py` by `make generated`. On a node, "
        "`journalctl -x -u nodemend` shows the same text below each line.\n"
    )
    return "\n".join([introduction, *(_section(event) for event in EVENTS.values())])


def _section(event: Event) -> str:
    return (
        f"## {event.name}\n\n`MESSAGE_ID={event.message_id}`, priority {event.priority}\n\n"
        f"> {event.line}\n\n{_plain(event.cause)}\n\n"
        f"**What was done.** {_plain(event.done)}\n\n"
        f"**What to do.** {_plain(event.to_do)}\n"
    )


def _plain(text: str) -> str:
    """@NODEMEND_DEVICE@ is journalctl's to fill in; a page can only name it."""
    return re.sub(rf"@{FIELD_PREFIX}([A-Z_]+)@", lambda found: found[1], text)


def _values(verdict: Verdict) -> dict[str, object]:
    return {f.name: getattr(verdict, f.name) for f in dataclasses.fields(verdict)}


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(str(item) for item in value) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
