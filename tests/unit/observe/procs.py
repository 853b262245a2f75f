"""A /proc of a few processes, as far as the CNI guard reads it."""

from __future__ import annotations

from pathlib import Path

BOOT_TICKS = 100  # a second, on every machine that this runs on (sysconf(3), _SC_CLK_TCK)
POD = "/kubepods.slice/kubepods-pod0b5c1d2e_3f40_4a5b_8c6d_7e8f90a1b2c3.slice/cri.scope"


class Procs:
    """`root` is what the readers take for /."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.proc = root / "proc"
        (self.proc / "net").mkdir(parents=True)
        self._netlink: list[str] = []
        self.netlink()

    def process(
        self,
        pid: int,
        name: str,
        cgroup: str,
        *,
        began_seconds: float = 0,
        sockets: tuple[int, ...] = (),
        number_there: int | None = None,
    ) -> None:
        directory = self.proc / str(pid)
        (directory / "fd").mkdir(parents=True)
        start = int(began_seconds * BOOT_TICKS)
        rest = " ".join(["S", *("0" for _ in range(18)), str(start), "0"])
        (directory / "stat").write_text(f"{pid} ({name}) {rest}\n")
        (directory / "cgroup").write_text(f"0::{cgroup}\n")
        inner = "" if number_there is None else f"\t{number_there}"
        (directory / "status").write_text(f"Name:\t{name}\nNSpid:\t{pid}{inner}\n")
        (directory / "fd/0").symlink_to("/dev/null")
        for number, inode in enumerate(sockets, start=3):
            (directory / f"fd/{number}").symlink_to(f"socket:[{inode}]")

    def netlink(self, **inodes: int) -> None:
        """Ports of rtnetlink sockets, `p101=77` for port 101 and inode 77; one of another kind."""
        self._netlink += [
            f"00000000 0 {port[1:]} 00000551 0 0 0 2 0 {inode}" for port, inode in inodes.items()
        ]
        lines = [
            "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode",
            "00000000 15 101 00000001 0 0 0 2 0 4711",
            *self._netlink,
        ]
        (self.proc / "net/netlink").write_text("\n".join(lines) + "\n")
