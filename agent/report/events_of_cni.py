"""Events: what the host took away from the CNI, who it was, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from agent.model import verdicts_of_cni as verdicts
from agent.report.event import ERROR, INFO, NOTICE, WARNING, Event

_WHO = (
    "systemd-networkd deletes rules and routes that are not in its files whenever it is started "
    "anew (each upgrade of systemd does that, on Debian 13 each upgrade of libc) or its files are "
    "read anew. An unknown culprit is a program that had ended before it could be looked at, "
    "mostly `ip`; the kernel itself flushes the routes of a device that is set down or loses its "
    "last address."
)
_PREVENT = (
    "Keep it from happening: `nodemend cni audit` says which settings let it, `nodemend cni apply` "
    "writes the files that end it. See `journalctl` of the culprit for what made it act."
)

CNI_EVENTS: Mapping[type, Event] = {
    verdicts.CniInterference: Event(
        name="cni_interference",
        message_id="b44557fe003b49efbf8cc3fb38a2bee7",
        priority=WARNING,
        line="{culprit}{how} took away {count} of the CNI's ({kind}): {entries}",
        subject="The CNI's network was interfered with by @NODEMEND_CULPRIT@",
        cause="Rules, routes or addresses that had stood for a while are gone, or a link is not "
        "what it was (MAC, MTU, name, master, up, rp_filter), and it was not the CNI that did it. "
        f"{_WHO} Of links the kernel does not say who changed them: that is inferred from who has "
        "them in its hands.",
        done="It is counted in nodemend_cni_interference_total. In mode remediate they are put "
        "back as they were; in mode observe it is only told.",
        to_do=_PREVENT,
    ),
    verdicts.CniLeft: Event(
        name="cni_left",
        message_id="5c1b6b0f6f2b4f52a3f35ad5f1f0f7a9",
        priority=NOTICE,
        line="{count} of the CNI's ({kind}) are gone, and are let be: {entries}: {reason}",
        subject="Something of the CNI's is gone, and may rightly be so",
        cause="Who did it cannot be said, and it may have been the CNI itself: of links the kernel "
        "names nobody; a socket that is closed again may have been one that the CNI's agent opened "
        "for one request; or nodemend-holders.socket, which looks up whose a socket is, does not "
        "answer.",
        done="Nothing: what is there now is what is expected to be there.",
        to_do="Nothing, if the CNI was changed or upgraded. Else restart the CNI's agent, which "
        "makes anew what is its. `systemctl status nodemend-holders.socket` if the line says so.",
    ),
    verdicts.CniRestoreWithheld: Event(
        name="cni_restore_withheld",
        message_id="36b491e01d944044b018dfd3bf8835c3",
        priority=WARNING,
        line="would have put back {count} of the CNI's ({kind}) that {culprit} took away: "
        "{entries}; the mode in force is observe",
        subject="The CNI's network was left broken",
        cause="The mode in force is observe: by the configuration, a pause, or since too many "
        "starts had no orderly end.",
        done="Nothing. The entries are missing until the CNI makes them anew.",
        to_do="Restart the CNI's agent (Cilium: `kubectl -n kube-system rollout restart "
        "ds/cilium`; flannel in k3s: `systemctl restart k3s`), or set `mode: remediate`.",
    ),
    verdicts.CniRestored: Event(
        name="cni_restored",
        message_id="e0d3fe6e672446a1b4861b421162eb40",
        priority=NOTICE,
        line="put back {count} of the CNI's ({kind}) that {culprit} took away, after "
        "{milliseconds} ms: {entries}",
        subject="The CNI's network is whole again",
        cause="What was taken away from the CNI was put back, as the kernel had it before.",
        done="It is counted in nodemend_cni_restores_total.",
        to_do=f"Nothing now. {_PREVENT}",
    ),
    verdicts.CniRestoreFailed: Event(
        name="cni_restore_failed",
        message_id="9545a3e27eb546fc88b0f6ac431c5ea0",
        priority=ERROR,
        line="cannot put back {count} of the CNI's ({kind}) that {culprit} took away: {entries}: "
        "{reason}",
        subject="The CNI's network stays broken",
        cause="The kernel refused. The line has its reason.",
        done="It is counted in nodemend_cni_restore_failures_total and not tried again: it would "
        "be refused again.",
        to_do="Restart the CNI's agent, which makes anew what is its.",
    ),
    verdicts.CniRestoreWaits: Event(
        name="cni_restore_waits",
        message_id="41d348717a6a4fc9a469f9deb676b614",
        priority=WARNING,
        line="{count} of the CNI's ({kind}) that {culprit} took away cannot be put back yet: "
        "{entries}: {reason}",
        subject="The CNI's network waits for its uplink",
        cause="A route needs its device up, and an address to leave with; these are missing, too.",
        done="It is tried again as soon as a device is set up, or an address or route comes.",
        to_do="See why the uplink has no address: `networkctl status`, `nodemend status`.",
    ),
    verdicts.CniRests: Event(
        name="cni_rests",
        message_id="9fe95fafdc1d4080a2b3bf60acc7e2ae",
        priority=ERROR,
        line="{culprit} keeps taking away what is put back: {entries} ({kind}); after {repeats} "
        "times it is left alone for {rest_seconds} s",
        subject="@NODEMEND_CULPRIT@ fights for the CNI's network",
        cause="The same entry was put back as often as cni_guard.repeats allows, and was taken "
        "away each time: somebody means it.",
        done="It is left alone for cni_guard.rest, then looked at again.",
        to_do="Find out who it is and why: the line names what is known of it; `ip monitor rule "
        "route` shows when. Stop it, or take the entry from the CNI.",
    ),
    verdicts.CniExposed: Event(
        name="cni_exposed",
        message_id="e1591ff887444422b998b5cdbaf44845",
        priority=WARNING,
        line="settings of this host expose the CNI ({checks}): {exposed}; see `nodemend cni audit`",
        subject="The CNI is exposed by settings of this host",
        cause="Files of systemd-networkd, udev or their kin let them change or delete what is the "
        f"CNI's. {_WHO}",
        done="Nothing. The guard puts back what is taken, in mode remediate; pods feel it all the "
        "same.",
        to_do="`nodemend cni audit` names file and line; `nodemend cni apply --dry-run` shows what "
        "would end it, `nodemend cni apply` writes it.",
    ),
    verdicts.CniCovered: Event(
        name="cni_covered",
        message_id="93fe3fbeb4464507928d4e8c5842dd7f",
        priority=INFO,
        line="no setting of this host exposes the CNI any more",
        subject="The CNI is exposed no more",
        cause="The files of systemd-networkd, udev and their kin leave alone what is the CNI's.",
        done="Nothing.",
        to_do="Nothing.",
    ),
    verdicts.NetworkdRestart: Event(
        name="networkd_restarted",
        message_id="0e678af6bb2b4ce29067ad197cdddc78",
        priority=INFO,
        line="systemd-networkd was started anew ({total} times since nodemend counts)",
        subject="systemd-networkd was started anew",
        cause="Somebody restarted it, it crashed, or a package was upgraded: systemd's own, and on "
        "Debian 13 libc's as well.",
        done="It is counted in nodemend_networkd_restarts_total; what it takes away is told "
        "separately.",
        to_do="Nothing. `journalctl -u systemd-networkd` and /var/log/dpkg.log say why.",
    ),
}
