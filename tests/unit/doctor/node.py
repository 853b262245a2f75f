"""A node as a tree of files on which nothing is wrong, and the means to break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.audit.answer import Answer
from agent.audit.report import Report
from agent.doctor.machine import Machine
from agent.doctor.report import examine_machine
from agent.model.identity import Link
from agent.places import Places
from agent.report.catalog import EVENTS, catalog_text
from tests.builders import LINK

USB = "sys/devices/pci0000:00/0000:00:14.0/usb2/2-1"
BOOT_TIMESTAMP_SECONDS = 1_700_000_000
ROUTES_HEADER = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


@dataclass
class Node:
    """Files below a root, and the links that the kernel would list."""

    root: Path
    links: tuple[Link, ...] = (LINK,)
    is_root: bool = True
    list_links: Callable[[], tuple[Link, ...]] | None = None

    def write(self, name: str, text: str | bytes = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def link(self, name: str, target: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def process(self, number: int, comm: str, started_seconds: int = 10) -> None:
        """`started_seconds` since the boot."""
        self.write(f"proc/{number}/comm", f"{comm}\n")
        fields = ["S", *["0"] * 18, str(started_seconds * 100), "0"]
        self.write(f"proc/{number}/stat", f"{number} ({comm}) {' '.join(fields)}\n")

    def machine(self) -> Machine:
        return Machine(
            root=self.root,
            config_path=None,
            places=Places(self.root / "var/lib/nodemend", self.root / "run/nodemend"),
            is_root=self.is_root,
            list_links=self.list_links or (lambda: self.links),
        )

    def examine(self) -> Report:
        return examine_machine(self.machine())

    def answer(self, check: str) -> Answer:
        return dict(self.examine().answers)[check]

    def note(self, name: str) -> str | None:
        return dict(self.examine().notes).get(name)

    def outcomes(self) -> dict[str, str]:
        return {name: answer.outcome for name, answer in self.examine().answers}

    def usb_nic(self, link: Link = LINK) -> None:
        """An RTL8156 at 5000 Mb/s, as the default route."""
        netdev = f"{USB}/2-1:1.0/net/{link.device}"
        attributes = {"devnum": "2", "idVendor": "0bda", "idProduct": "8156", "speed": "5000"}
        for name, value in attributes.items():
            self.write(f"{USB}/{name}", f"{value}\n")
        self.write(f"{USB}/power/control", "on\n")
        self.write(f"{netdev}/ifindex", f"{link.ifindex}\n")
        self.write(f"{netdev}/addr_assign_type", "0\n")
        top = str(self.root)
        self.link(f"{netdev}/device", f"{top}/{USB}/2-1:1.0")
        self.link(f"sys/class/net/{link.device}", f"{top}/{netdev}")
        self.link(f"{USB}/subsystem", f"{top}/sys/bus/usb")
        self.link(f"{USB}/2-1:1.0/subsystem", f"{top}/sys/bus/usb")
        self.link("sys/devices/pci0000:00/0000:00:14.0/subsystem", f"{top}/sys/bus/pci")
        self.driver("r8152")
        row = (
            link.device,
            "00000000",
            "014DA8C0",
            "0003",
            "0",
            "0",
            "0",
            "00000000",
            "0",
            "0",
            "0",
        )
        self.write("proc/net/route", ROUTES_HEADER + "\t".join(row) + "\n")

    def driver(self, name: str) -> None:
        path = self.root / USB / "2-1:1.0/driver"
        path.unlink(missing_ok=True)
        path.symlink_to(self.root / "sys/bus/usb/drivers" / name)

    def networkd(self) -> None:
        """It configures the uplink, as netplan told it to, and a CNI is here."""
        self.process(400, "systemd-network")
        self.write("etc/cni/net.d/05-cilium.conflist", "{}")
        self.write("run/systemd/network/10-netplan-enx.network", "[Match]\nName=enx*\n")
        self.write(
            f"run/systemd/netif/links/{LINK.ifindex}",
            "# This is private data. Do not parse.\nADMIN_STATE=configured\n"
            "NETWORK_FILE=/run/systemd/network/10-netplan-enx.network\n",
        )


def sound_node(root: Path) -> Node:
    """All checks say yes of it but the one for the daemon, which does not run."""
    node = Node(root)
    for directory in ("sys/bus/usb/drivers", "sys/bus/pci", "var/log/journal", "run/nodemend"):
        (root / directory).mkdir(parents=True)
    node.process(1, "systemd")
    for process in ("1", "self"):
        node.link(f"proc/{process}/ns/net", "net:[4026531840]")
    node.write("proc/self/status", "Name:\tnodemend\nCapEff:\t000001ffffffffff\n")
    node.write("proc/stat", f"cpu 0 0\nbtime {BOOT_TIMESTAMP_SECONDS}\n")
    node.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet\n")
    node.write("proc/sys/kernel/osrelease", "6.1.0-56-amd64\n")
    node.write("dev/kmsg")
    node.write("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so")
    unit = "etc/systemd/system/nodemend.service"
    program = "/opt/nodemend/current/bin/nodemend"
    node.write(unit, f"[Service]\nType=notify\nExecStart={program} run\n")
    node.write(program.lstrip("/"))
    node.link("etc/systemd/system/multi-user.target.wants/nodemend.service", f"/{unit}")
    node.write("var/lib/nodemend/state.json", "{}")
    node.write("usr/lib/systemd/catalog/nodemend.catalog", catalog_text())
    ids = b"".join(bytes.fromhex(event.message_id) for event in EVENTS.values())
    node.write("var/lib/systemd/catalog/database", b"RHHHKSLP" + ids)
    node.usb_nic()
    return node


def unplugged(node: Node) -> None:
    """No NIC is left."""
    node.links = (replace(LINK, ifindex=1, device="lo", physical=False),)
    (node.root / "sys/class/net" / LINK.device).unlink()
    node.write("proc/net/route", ROUTES_HEADER)
