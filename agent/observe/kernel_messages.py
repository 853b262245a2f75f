"""Which of the kernel's messages mean something: a table, from the drivers' own sources.

Where two classes fit, what stands first in the line counts. What is not in the table is not
taken up, and some lines must not be: a healthy unbind prints `Stop submitting intr, status
-108`, a healthy start `unable to load firmware patch`, and Cilium's pods `eth0: renamed from
tmpXXXXX`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import cast

from agent.model.kernel_log import KernelClass

_SPEEDS = r"(?:low|full|high|super|SuperSpeed|SuperSpeedPlus)\S*(?:-speed)?(?: Plus)?(?: Gen \S+)?"

LINES_REMEMBERED_MAX = 256  # a flood repeats itself

PATTERNS: Mapping[KernelClass, str] = {
    # drivers/net/usb/r8152.c: r8152_control_msg, rtl8152_probe_once
    "gave_up": r"Tried to reset \d+ times; giving up",
    "probe_failed": r"failed probe after \d+ tries|Unknown version 0x|"
    r"Needed \d+ retries to read version|probe with driver \S+ failed",
    # r8152_control_msg; aqc111.c, ax88179_178a.c: *_read_cmd, *_write_cmd
    "control_error": r"Failed to (?:read|write) (?:\d+ bytes at|reg index)|"
    r"Failed to (?:read|write)\(0x|Get ether addr fail",
    # intr_callback: after it the driver asks no more; -108 is the end of any healthy unbind
    "interrupt_stopped": r"Stop submitting intr, status -(?!108\b)",
    # net/sched/sch_generic.c: dev_watchdog; rtl8152_tx_timeout
    "tx_timeout": r"NETDEV WATCHDOG|Tx timeout",
    # write_bulk_callback, read_bulk_callback, r8152_submit_rx
    "transfer_error": r"[TR]x status -\d+|maybe reset is needed\?",
    # drivers/usb/core/hub.c: hub_port_init, usb_disconnect, hub_port_connect
    "usb_reset": rf"reset {_SPEEDS} USB device number",
    "usb_connect": rf"new {_SPEEDS} USB device number",
    "usb_disconnect": r"USB disconnect, device number",
    "usb_slow": r"not running at top speed",
    "enumeration_error": r"Cannot enable\. Maybe the USB cable is bad|device descriptor read/|"
    r"device not accepting address|attempt power cycle|unable to enumerate USB device|"
    r"config error|connect-debounce failed|disabled by hub \(EMI\?\)|USB reset failed|"
    r"can't set config|can't read configurations|not responding to setup address|cannot reset \(",
    "over_current": r"over-current condition",
    "link_power": r"[Ee]nable of device-initiated U\d failed|"
    r"[Dd]isable of device-initiated U\d failed",
    # drivers/usb/host/xhci*.c
    "controller_died": r"HC died; cleaning up|host (?:controller )?not responding|"
    r"assume dead|Host System Error|couldn't access mem fast enough|"
    r"Abort failed to stop command ring",
    # set_ethernet_addr
    "mac_lost": r"Invalid ether addr|Random ether addr",
    # net/core/skbuff.c by way of rtl8152_start_xmit
    "offload_error": r"skb_to_sgvec fail",
    # rtl8152_probe_once; usbnet_probe, aqc111 and ax88179_178a by way of it
    "driver_bound": r"^r8152 .*: v\d+\.\d+\.\d+$|: register '",
}
_CLASSES = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in PATTERNS.items()), re.ASCII
)

# Who is meant, at the beginning of a line: what is no device of ours ends the search here.
_SUBJECT = re.compile(
    r"(?P<driver>[\w-]+) (?P<path>\d+-\d+(?:\.\d+)*)(?::\d+\.\d+)?[ :]"
    r"|usb (?P<hub>usb\d+|\d+-[\d.]+)-port(?P<port>\d+): "
    r"|xhci[\w-]* (?P<pci>[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): "
    r"|NETDEV WATCHDOG: (?P<watched>\S+) \(",
    re.ASCII,
)


@functools.lru_cache(LINES_REMEMBERED_MAX)
def classify(text: str) -> tuple[KernelClass, str] | None:
    """Class and subject of a line, None where it says nothing of a NIC."""
    subject = _SUBJECT.match(text)
    if subject is None:
        return None
    found = _CLASSES.search(text)
    if found is None:
        return None
    name = cast("KernelClass", found.lastgroup)  # the groups are the table's keys
    return name, _subject_in_words(subject)


def page() -> str:
    """The whole of docs/kernel-log.md."""
    rows = [
        "# The kernel's log",
        "",
        "Generated from `agent/observe/kernel_messages.py` by `make generated`. A line counts in",
        "`nodemend_nic_kernel_messages_total` if it names a NIC's USB device (at either speed of",
        "its plug), its port, its controller or its interface, and contains one of these.",
        "",
        "| class | what the line contains (regular expression) |",
        "|---|---|",
    ]
    for name, pattern in PATTERNS.items():
        escaped = pattern.replace("|", "\\|")
        rows.append(f"| {name} | `{escaped}` |")
    return "\n".join(rows) + "\n"


def _subject_in_words(subject: re.Match[str]) -> str:
    if subject["path"]:
        return f"usb:{subject['path']}"
    if subject["hub"]:
        hub, port = subject["hub"], subject["port"]
        path = f"{hub[3:]}-{port}" if hub.startswith("usb") else f"{hub}.{port}"
        return f"usb:{path}"
    if subject["pci"]:
        return f"pci:{subject['pci']}"
    return f"net:{subject['watched']}"
