"""A Realtek RTL8156B in user space: the kernel's own r8152 and cdc_ncm drivers bind to it.

It runs inside the virtual machine with the standard library alone. The kernel's vhci_hcd takes a
socket for a USB bus (Documentation/usb/usbip_protocol.rst); this is the device at its other end:

    descriptors  what it says it is           faults   what can be broken, by name: a table
    registers    the chip's memory and PHY    truth    what was really reported, and when
    frames       Ethernet, to and from a tap  control  one JSON line each way on a socket
    bus          the vhci port and its URBs   adapter  all of it together
"""
