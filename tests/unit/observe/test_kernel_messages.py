"""Lines as kernels print them: which mean something, and of whom they speak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.kernel_log import KERNEL_CLASSES, KernelClass
from agent.observe.kernel_messages import PATTERNS, classify

NIC = "usb:2-1"
XHCI = "pci:0000:00:14.0"

LINES: tuple[tuple[KernelClass, str, str], ...] = (
    ("gave_up", NIC, "r8152 2-1:1.0 eth0: Tried to reset 3 times; giving up."),
    ("probe_failed", NIC, "r8152 2-1:1.0: r8152 failed probe after 3 tries; giving up"),
    ("probe_failed", "usb:4-1", "r8152-cfgselector 4-1: Unknown version 0x0000"),
    ("probe_failed", NIC, "r8152-cfgselector 2-1: Needed 2 retries to read version"),
    (
        "control_error",
        NIC,
        "r8152-cfgselector 2-1: Failed to read 4 bytes at 0xb400/0x0133 (-32)",
    ),
    ("control_error", NIC, "usb 2-1: Failed to write 64 bytes at 0xd000/0x0100 (-110)"),
    ("control_error", NIC, "r8152 2-1:1.0 eth0: Get ether addr fail"),
    ("control_error", NIC, "aqc111 2-1:1.0 eth0: Failed to write(0x1) reg index 0x0002: -19"),
    ("control_error", NIC, "ax88179_178a 2-1:1.0 eth0: Failed to read reg index 0x0002: -19"),
    ("interrupt_stopped", NIC, "r8152 2-1:1.0 eth0: Stop submitting intr, status -71"),
    ("interrupt_stopped", NIC, "r8152 2-1:1.0 eth0: Stop submitting intr, status -104"),
    (
        "tx_timeout",
        NIC,
        "r8152 2-1:1.0 eth0: NETDEV WATCHDOG: CPU: 1: transmit queue 0 timed out 5848 ms",
    ),
    ("tx_timeout", NIC, "r8152 2-1:1.0 eth0: Tx timeout"),
    ("tx_timeout", "net:eth1", "NETDEV WATCHDOG: eth1 (r8152): transmit queue 0 timed out"),
    ("transfer_error", NIC, "r8152 2-1:1.0 eth0: Tx status -71"),
    ("transfer_error", NIC, "r8152 2-1:1.0 enx6c1ff71be8c8: Rx status -71"),
    ("transfer_error", NIC, "r8152 2-1:1.0 eth0: maybe reset is needed?"),
    ("usb_connect", "usb:4-1", "usb 4-1: new SuperSpeed USB device number 2 using vhci_hcd"),
    ("usb_connect", "usb:3-1", "usb 3-1: new high-speed USB device number 2 using vhci_hcd"),
    (
        "usb_connect",
        NIC,
        "usb 2-1: new SuperSpeed Plus Gen 2x1 USB device number 3 using xhci_hcd",
    ),
    ("usb_connect", NIC, "usb 2-1: new SuperSpeed Gen 1 USB device number 3 using xhci_hcd"),
    ("usb_connect", NIC, "usb 2-1: new SuperSpeedPlus USB device number 3 using xhci_hcd"),
    ("usb_connect", "usb:1-1", "usb 1-1: new full-speed USB device number 9 using xhci_hcd"),
    (
        "usb_reset",
        "usb:4-1",
        "r8152-cfgselector 4-1: reset SuperSpeed USB device number 2 using vhci_hcd",
    ),
    ("usb_reset", "usb:1-1", "usb 1-1: reset high-speed USB device number 5 using xhci_hcd"),
    ("usb_disconnect", "usb:4-1", "r8152-cfgselector 4-1: USB disconnect, device number 2"),
    ("usb_disconnect", "usb:2-1.4", "usb 2-1.4: USB disconnect, device number 7"),
    (
        "usb_slow",
        "usb:1-1",
        "usb 1-1: not running at top speed; connect to a high speed hub",
    ),
    (
        "enumeration_error",
        NIC,
        "usb usb2-port1: Cannot enable. Maybe the USB cable is bad?",
    ),
    ("enumeration_error", "usb:2-1.4", "usb 2-1-port4: unable to enumerate USB device"),
    ("enumeration_error", "usb:2-1.4.2", "usb 2-1.4-port2: attempt power cycle"),
    ("enumeration_error", "usb:2-12", "usb usb2-port12: connect-debounce failed"),
    ("enumeration_error", NIC, "usb usb2-port1: config error"),
    ("enumeration_error", NIC, "usb usb2-port1: disabled by hub (EMI?), re-enabling..."),
    ("enumeration_error", NIC, "usb 2-1: device descriptor read/64, error -110"),
    ("enumeration_error", NIC, "usb 2-1: device not accepting address 4, error -71"),
    ("over_current", NIC, "usb usb2-port1: over-current condition"),
    ("link_power", "usb:4-1", "usb 4-1: enable of device-initiated U2 failed."),
    ("link_power", NIC, "usb 2-1: Disable of device-initiated U1 failed."),
    ("controller_died", XHCI, "xhci_hcd 0000:00:14.0: HC died; cleaning up"),
    (
        "controller_died",
        XHCI,
        "xhci_hcd 0000:00:14.0: xHCI host not responding to stop endpoint command",
    ),
    (
        "controller_died",
        XHCI,
        "xhci_hcd 0000:00:14.0: xHCI host controller not responding, assume dead",
    ),
    (
        "controller_died",
        XHCI,
        "xhci_hcd 0000:00:14.0: Abort failed to stop command ring: -110",
    ),
    ("controller_died", XHCI, "xhci_hcd 0000:00:14.0: WARNING: Host System Error"),
    (
        "controller_died",
        "pci:10000:e1:00.0",
        "xhci_hcd 10000:e1:00.0: WARN: HC couldn't access mem fast enough for slot 1 ep 6",
    ),
    (
        "mac_lost",
        "usb:4-1",
        "r8152 4-1:1.0 (unnamed net_device) (uninitialized): Invalid ether addr 00:00:00:00:00:00",
    ),
    ("mac_lost", NIC, "r8152 2-1:1.0 eth0: Random ether addr 26:fa:11:22:33:44"),
    ("offload_error", NIC, "r8152 2-1:1.0 eth0: skb_to_sgvec fail -90"),
    ("driver_bound", "usb:4-1", "r8152 4-1:1.0 eth0: v1.12.13"),
    (
        "driver_bound",
        "usb:4-1",
        "cdc_ncm 4-1:2.0 eth0: register 'cdc_ncm' at usb-vhci_hcd.0-1, CDC NCM (NO ZLP), "
        "6c:1f:f7:1b:e8:c8",
    ),
)

HARMLESS = (
    "",
    "r8152 2-1:1.0 eth0: Stop submitting intr, status -108",
    "r8152 2-1:1.0: Direct firmware load for rtl_nic/rtl8156b-2.fw failed with error -2",
    "r8152 2-1:1.0: unable to load firmware patch rtl_nic/rtl8156b-2.fw (-2)",
    "r8152 2-1:1.0: load rtl8156b-2 v2 04/27/23 successfully",
    "r8152 4-1:1.0 enx6c1ff71be8c8: carrier on",
    "r8152 4-1:1.0 enx6c1ff71be8c8: carrier off",
    "r8152 4-1:1.0 enx6c1ff71be8c8: renamed from eth0",
    "eth0: renamed from tmp12345",
    "cdc_ncm 4-1:2.0 eth0: unregister 'cdc_ncm' usb-vhci_hcd.0-1, CDC NCM (NO ZLP)",
    "usb 4-1: New USB device found, idVendor=0bda, idProduct=8156, bcdDevice=31.04",
    "usb 4-1: Product: USB 10/100/1G/2.5G LAN",
    "xhci_hcd 0000:00:14.0: xHCI Host Controller",
    "usbcore: registered new interface driver r8152",
    "IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready",
)

NOT_OF_A_NIC = (
    "EXT4-fs (sda1): Tx timeout",
    "nvme 0000:01:00.0: HC died; cleaning up",
    "xhci_hcd: HC died; cleaning up",
    "usb usb2: USB disconnect, device number 1",
    " usb 2-1: USB disconnect, device number 2",
    "somebody wrote: usb 2-1: USB disconnect, device number 2",
)


@pytest.mark.parametrize(("message_class", "subject", "line"), LINES)
def test_a_line_has_a_class_and_a_subject(
    message_class: KernelClass, subject: str, line: str
) -> None:
    assert (message_class, subject) == classify(line)


@pytest.mark.parametrize("line", HARMLESS)
def test_a_healthy_nics_line_means_nothing(line: str) -> None:
    assert classify(line) is None


@pytest.mark.parametrize("line", NOT_OF_A_NIC)
def test_a_line_that_names_no_device_of_ours_means_nothing(line: str) -> None:
    assert classify(line) is None


def test_every_class_has_a_pattern_and_a_line_here() -> None:
    assert set(KERNEL_CLASSES) == set(PATTERNS)
    assert set(KERNEL_CLASSES) == {message_class for message_class, _, _ in LINES}


STARTS = ("", "usb 2-1: ", "usb usb2-port1: ", "xhci_hcd 0000:00:14.0: ", "r8152 2-1:1.0 ")


@given(st.sampled_from(STARTS), st.text())
def test_any_text_is_of_a_known_class_or_of_none(start: str, text: str) -> None:
    found = classify(start + text)

    assert found is None or found[0] in KERNEL_CLASSES
