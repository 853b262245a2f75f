"""Events: the daemon's own life, and its sources."""

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
    verdicts.SourceFailed: Event(
        name="source_failed",
        message_id="e79a6e0a49624e3aa302745f2f21e6dc",
        priority=WARNING,
        line="{source} delivers no more: {reason}",
        subject="nodemend: @NODEMEND_SOURCE@ delivers no more",
        cause="A place that facts come from, or go to, has failed. What it tells is not known "
        "meanwhile.",
        done="It is opened anew again and again; /healthz, nodemend_monitor_up and `nodemend "
        "status` say so until it works.",
        to_do="The line says why. rtnetlink, readings: see whether `ip link` hangs. kernel_log: "
        "/dev/kmsg. journal: `systemctl status systemd-journald`. store, incidents: `df "
        "-h /var/lib/nodemend`, `journalctl -k` for the disk. http, control: `ss -lntp` and "
        "/run/nodemend.",
    ),
    verdicts.SourceRecovered: Event(
        name="source_recovered",
        message_id="a7782ca6f0274d37805d70cfc4d1d86b",
        priority=NOTICE,
        line="{source} delivers again",
        subject="nodemend: @NODEMEND_SOURCE@ delivers again",
        cause="What had failed works again.",
        done="What was missed is read anew where that can be done.",
        to_do="Nothing; the line in which it failed says why.",
    ),
    verdicts.ConfigReloaded: Event(
        name="config_reloaded",
        message_id="4c3e5e9f2b6b424c961bcc3f2c0e46ae",
        priority=NOTICE,
        line="{path} is in force now: mode {mode}, watched: {watched}",
        subject="nodemend has a new configuration",
        cause="The configuration was read anew: by `systemctl reload nodemend`, or because the "
        "web configuration's files changed.",
        done="It is valid and in force. Counts go on.",
        to_do="See that the line names what you expect.",
    ),
    verdicts.ConfigRefused: Event(
        name="config_refused",
        message_id="bb9f3ee66a344bc4a094b4965c1574b0",
        priority=ERROR,
        line="{path} is wrong, the configuration before stays in force: {problems}",
        subject="nodemend refused a new configuration",
        cause="The configuration was read anew and has mistakes, or what it names cannot be used.",
        done="Nothing was changed: the one that was in force still is. "
        "nodemend_config_last_reload_successful is 0.",
        to_do="Mend what the line names, check it with `nodemend check-config FILE`, then "
        "`systemctl reload nodemend`. With the file as it is the daemon would not start.",
    ),
    verdicts.ObserveForced: Event(
        name="observe_forced",
        message_id="055c68463ae648ef9255d59b0b23a6c3",
        priority=ERROR,
        line="nodemend only observes, until further notice: {reason}; this ends {ends}",
        subject="nodemend observes only, whatever its configuration says",
        cause="Either the daemon ended again and again without being told to, so that it may "
        "itself be what harms the node; or its saved state was lost, and with it what had been "
        "spent of its budgets.",
        done="It watches, counts and tells as ever, and takes no step.",
        to_do="After crashes: `journalctl -u nodemend` shows how it ended; `systemctl restart "
        "nodemend` once that is understood. After a lost state: nothing.",
    ),
    verdicts.Paused: Event(
        name="paused",
        message_id="4612d050982a43639fe79b5e0a24b73d",
        priority=NOTICE,
        line="paused for {seconds} s: {reason}",
        subject="nodemend is paused",
        cause="Somebody ran `nodemend pause`.",
        done="It watches, counts and tells as ever, and takes no step; one that is under way is "
        "brought to its end.",
        to_do="Nothing: the pause ends by itself. `nodemend resume` ends it now.",
    ),
    verdicts.Resumed: Event(
        name="resumed",
        message_id="36b1c4b1539f46eea345d68b2fa0ae42",
        priority=NOTICE,
        line="steps may be taken again: {reason}",
        subject="nodemend is paused no more",
        cause="The pause is over, or somebody ran `nodemend resume`.",
        done="Steps that are due are taken, where the mode is remediate. After `resume`, a NIC for "
        "which no step was left gets all of them once more.",
        to_do="Nothing.",
    ),
    verdicts.ObserveLifted: Event(
        name="observe_lifted",
        message_id="ba21351719b5438a8196d7429be791a7",
        priority=NOTICE,
        line="steps may be taken again: no longer true that {reason}",
        subject="nodemend may take steps again",
        cause="The reason to observe only is gone.",
        done="Steps that are due are taken from now on, if the configuration says so.",
        to_do="Nothing.",
    ),
}
