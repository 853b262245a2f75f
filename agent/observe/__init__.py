"""The only room that reads the world: rtnetlink, sysfs, clocks. It judges nothing."""
