"""Events: the daemon, its sources and its steps."""

from __future__ import annotations

from collections.abc import Mapping

from agent.model import verdicts
from agent.report.event import ERROR, NOTICE, WARNING, Event

DAEMON_EVENTS: Mapping[type, Event] = {
    verdicts.WatchBegan: Event(
        name="watch_began",
        message_id="7f0c5a6c43914a1e89a2b23594394dfd",
        priority=NOTICE,
        line="nodemend {version} watches {watched} in mode {mode}. Other links: {bystanders}. "
        "May not see: {blind_spots}",
        subject="nodemend began to watch",
        cause="The daemon started and has looked at every network link once.",
        done="USB NICs, and whatever carries the default route, are watched from now on; changes "
        "of their links are counted and logged. Other links are left alone.",
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
    verdicts.KernelLogOverrun: Event(
        name="kernel_log_overrun",
        message_id="7cc08ad9d59849df95a2336d604c0166",
        priority=WARNING,
        line="{lost} messages of the kernel's log were overwritten before they were read",
        subject="The kernel's log was written faster than it was read",
        cause="A flood in the kernel's log, or the daemon was not running, or starved.",
        done="The number that was lost is counted in nodemend_source_dropped_total; what they "
        "said is not known.",
        to_do="`journalctl -k` shows who floods it. A larger ring helps: log_buf_len=1M on the"
        " kernel's command line.",
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
