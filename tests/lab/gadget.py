"""A second kind of USB NIC: the kernel's own NCM gadget on dummy_hcd, driven by cdc_ncm.

Both ends are on the same machine: `usb0` is the gadget's end, its carrier is the NIC's link.
Debian's kernels have dummy_hcd, Ubuntu's do not.
"""

from __future__ import annotations

from tests.lab.node import Node

GADGET = "/sys/kernel/config/usb_gadget/lab"
HOST_MAC, GADGET_MAC = "6c:1f:f7:1b:e8:c8", "02:00:00:00:00:02"

# A function that is part of a configuration takes no address: what was made before stays.
_CREATE = f"""
set -e
[ ! -e {GADGET}/configs/c.1/ncm.usb0 ] || exit 0
modprobe dummy_hcd is_super_speed=1
modprobe -a libcomposite cdc_ncm
mkdir -p {GADGET}/strings/0x409 {GADGET}/configs/c.1 {GADGET}/functions/ncm.usb0
cd {GADGET}
echo 0x0525 > idVendor
echo 0xa4a1 > idProduct
echo {HOST_MAC} > functions/ncm.usb0/host_addr
echo {GADGET_MAC} > functions/ncm.usb0/dev_addr
ln -s functions/ncm.usb0 configs/c.1/
"""


class Gadget:
    """Plugged in and out through its UDC; the same verbs as the RTL8156B's, where they apply."""

    def __init__(self, node: Node) -> None:
        self._node = node
        node.run(_CREATE)

    def plug(self) -> None:
        """Its own end goes up last: up while the host sets it up, its word of the link is lost."""
        self._node.run(f"ip link set usb0 down 2>/dev/null; echo dummy_udc.0 > {GADGET}/UDC")
        self._node.wait_until("ls -d /sys/bus/usb/drivers/cdc_ncm/*/net/*")
        self._node.run("udevadm settle && ip link set usb0 up")

    def unplug(self) -> None:
        self._node.run(f"echo > {GADGET}/UDC")

    def link_down(self) -> None:
        self._node.run("ip link set usb0 down")

    def link_up(self) -> None:
        self._node.run("ip link set usb0 up")
