"""A Realtek RTL8156B in user space: the kernel's own r8152 and cdc_ncm drivers bind to it.

It runs inside the virtual machine with the standard library alone. The kernel's vhci_hcd takes a
socket for a USB bus (Documentation/usb/usbip_protocol.rst); this is the device at its other end:

    bus          a vhci port and the URBs that come over it
    descriptors  what the adapter says it is
    requests     control transfers: USB's own, CDC NCM's and Realtek's
    registers    the chip's memory and its PHY
    frames       Ethernet, to and from a tap device: the network behind the adapter
    reports      the interrupt endpoint: what the driver is told of the link
    adapter      all of it together, plugged in or not
    faults       what can be broken, by name: a table
    truth        what was really reported, and when
    control      one JSON line each way on a socket; `nic` is the command for it
    client       the same from the host, for tests
"""
