"""The lab: real kernels, real systemd and real USB drivers, on a machine that has none of it."""
