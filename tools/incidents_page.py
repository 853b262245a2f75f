"""docs/incidents.md, made from the tables and bounds of the flight recorder and the report."""

from __future__ import annotations

from agent.decide import incident
from agent.model.incident import INCIDENTS_MAX
from agent.model.policy import RemediationPolicy
from agent.report import flight, incident_files
from agent.report.diagnosis import WORDS
from agent.report.incidents import VERDICTS
from agent.report.signatures import ENOUGH, PARTS, SIGNS

_MEBIBYTE = 1024 * 1024

_HEAD = """\
# What an incident leaves behind

Made by `make generated` from `agent/decide/incident.py`, `agent/report/flight.py`,
`agent/report/incident_files.py` and `agent/report/signatures.py`.

An incident opens with the first evidence of a fault that steps may be taken for
([remediation.md](remediation.md)), and closes when the NIC has been well for
`usb_nic.remediation.settle` ({settle_seconds} s). What comes back before that is the same incident.
In mode `observe` the same incidents are kept, with the steps that were `withheld`.

It leaves nothing behind if nobody need hear of it: no step was due, and it was over within
{noticed_seconds} s, before Kubernetes would have called the node NotReady; or the NIC, asked before
a first step, answered. Its counts and its lines in the journal stay.

| verdict | it means |
|---|---|
"""
_FILES = """
```console
$ nodemend incidents list
$ nodemend incidents show ID
$ nodemend incidents bundle ID --output wedge.tar.gz
$ nodemend replay wedge.tar.gz --config other.yaml
```

All of them work without the daemon, too, from what was saved last.

## The recording

`/var/lib/nodemend/incidents/ID.jsonl` holds the facts of the last {before_minutes} minutes before
the incident was kept, and all that follow until it is closed, with the decisions on them.
`nodemend replay` takes it as it is: it says whether today's decisions are the same, and with
`--config` what would have been done otherwise, up to the first step that only one of the two takes.
A header in the middle begins anew: after a restart, after something that was lost, and at the end
of an incident that lasted so long that its middle was left out.

| bound | |
|---|---|
| incidents of one NIC in the state | {incidents_max}; what nothing was done about goes first |
| recordings | {files_max}, {directory_mib} MiB; the oldest go |
| one recording | {incident_mib} MiB |
| recordings begun | {at_once} at once, then one in {earned_minutes} minutes |
| lines waiting for the disk | {pieces_max} |
| fsyncs | two for a recording's beginning and end, one for its directory entry |

Lines are written as they come: a killed daemon leaves a whole recording, or one with a last line
that is cut off. A disk that is full, read-only or hanging is told (`source_failed`, source
`incidents`), holds up no step, and is tried again after {retry_seconds} s.

## The bundle

One file to attach to a bug report: the recording, the incident as JSON and in words, the kernel's
lines about NICs, the USB tree when it began and when it was over (what sits where, speed, driver,
port, `authorized`, `power/control`), every reading of the counters, the policy that was in force,
`config.yaml` (never the file that `web_config_file` names), `nodemend status`, and the versions of
nodemend, Python and the kernel. It has MAC addresses and the node's gateway in it; serial numbers
are never read.

## The report

`nodemend report [--since 30d] [--format markdown]` says of each NIC which part is to blame. Totals
are noted once a day, so that a cable that was changed is not blamed for ever. Each sign that is
found counts for a part; the part with the most is named if it has at least {enough}, two with as
many are both named, and below that there is not enough evidence.

| part | sign | counts | because |
|---|---|---|---|
"""
_TO_DO = """
| part | it is | what to do |
|---|---|---|
"""


def page() -> str:
    """The whole file."""
    head = _HEAD.format(
        settle_seconds=RemediationPolicy().settle_ns // 10**9,
        noticed_seconds=incident.NOTICED_SECONDS,
    )
    verdicts = "".join(f"| {name or '-'} | {words} |\n" for name, words in VERDICTS.items())
    files = _FILES.format(
        before_minutes=flight.BEFORE_SECONDS // 60,
        incidents_max=INCIDENTS_MAX,
        files_max=incident_files.FILES_MAX,
        directory_mib=incident_files.DIRECTORY_BYTES_MAX // _MEBIBYTE,
        incident_mib=flight.INCIDENT_CHARACTERS_MAX // _MEBIBYTE,
        at_once=flight.RECORDINGS_AT_ONCE_MAX,
        earned_minutes=flight.RECORDING_EARNED_SECONDS // 60,
        pieces_max=incident_files.PIECES_WAITING_MAX,
        retry_seconds=flight.RETRY_SECONDS,
        enough=ENOUGH,
    )
    signs = "".join(
        f"| {sign.part} | {sign.looked_for} | {sign.points} | {sign.because} |\n" for sign in SIGNS
    )
    parts = "".join(f"| {part} | {WORDS[part][0]} | {WORDS[part][1]} |\n" for part in PARTS)
    return f"{head}{verdicts}{files}{signs}{_TO_DO}{parts}"
