"""The lab: real kernels, real systemd and real USB drivers, on a machine that has none of it.

Its rooms:

    images      root file systems of Debian releases, cached, with this checkout installed
    machine     a virtual machine: its own kernel, USB, udev, networkd (half a minute to boot)
    qmp         what is done to a machine from outside: a power cut
    container   a systemd-nspawn node: systemd and journald, no kernel, no USB (seconds)
    node        what a test may do with either
    rtl8156/    an RTL8156B in user space, to which the kernel's r8152 binds; faults by name
    gadget      the kernel's own NCM gadget, to which cdc_ncm binds
    prometheus  Debian's Prometheus and promtool
    shell       `make lab-shell`
"""
