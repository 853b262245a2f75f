"""The truth about one USB NIC, of which the daemon sees only what the kernel tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.model.identity import Adapter, Counters, Link, NetworkService, Uplink, UsbDevice

VENDOR_CONFIGURATION, GENERIC_CONFIGURATION = 1, 2
DRIVERS = {VENDOR_CONFIGURATION: "r8152", GENERIC_CONFIGURATION: "cdc_ncm"}


@dataclass
class Hardware:
    """An adapter, its plug, its cable, and what Linux has made of them."""

    plug: int  # 1 or 2
    mac: str
    plugged: bool = True
    fallen: bool = False  # off the bus, until its power is cut for long
    power: bool = True
    authorized: bool = True
    configuration: int | None = VENDOR_CONFIGURATION
    driver: str | None = None
    device_number: int = 0
    ifindex: int | None = None
    admin_up: bool = False
    ordered_down_ns: int | None = None  # by a person, since when
    carrier: bool = False
    ups: int = 0
    downs: int = 0
    cable: bool = True
    wedged: bool = False  # its driver gave up
    registers_dead: bool = False
    tx_hung: bool = False
    deaf: bool = False  # its interrupt endpoint: the carrier is frozen
    phy_hung: bool = False  # no carrier, with a cable
    mute: bool = False  # nothing passes, and nothing is said of it
    addressed: bool = True  # whoever manages it has given it an address
    routed: bool = True  # and, with it, the default route
    given_up: bool = False  # networkd has failed on it
    nameless: bool = False  # udev makes no name for it: no configuration reaches it
    name: str = ""
    generic: bool = False  # comes up in the wrong configuration, until that is chosen anew
    cures: frozenset[str] = frozenset()  # the steps that help, this time
    autosuspend: bool = False
    newcomer: bool = False  # put in by somebody, and not set up yet: whose affair that is, too
    tx_timeouts: int = 0
    rx_packets: int = 0
    messages_of: int = 0  # which netdev the pending link message is about
    healthy_ns: int | None = None  # since when nothing is wrong with it
    left_off: dict[str, int] = field(default_factory=dict)  # by a step: what, and since when
    spoiled: bool = False  # an inverse was tried, and the world did not let it

    @property
    def path(self) -> str:
        return f"2-{self.plug}"

    @property
    def companion(self) -> str:
        return f"1-{self.plug}"

    @property
    def connector(self) -> str:
        return f"pci-0000:00:14.0-usb-0:{self.plug}"

    @property
    def udev_name(self) -> str:
        return f"enx{self.mac.replace(':', '')}"

    @property
    def kernel_name(self) -> str:
        return f"eth{self.plug}"

    @property
    def present(self) -> bool:
        """On the bus, with a driver or without."""
        return self.plugged and self.power and not self.fallen

    @property
    def faulty(self) -> bool:
        hangs = (self.wedged, self.registers_dead, self.tx_hung, self.deaf, self.phy_hung)
        faults = (*hangs, self.mute, not self.addressed, not self.routed)
        generic = self.generic or self.driver == DRIVERS[GENERIC_CONFIGURATION]
        return any(faults) or self.fallen or generic or self.name != self.udev_name

    @property
    def healthy(self) -> bool:
        """Whether nothing whatever is wrong, so that nothing may be done to it."""
        works = self.present and self.driver == "r8152" and self.admin_up and self.carrier
        return works and self.cable and not self.faulty

    def passes_packets(self) -> bool:
        works = self.ifindex is not None and self.admin_up and self.carrier and self.cable
        fine = self.name == self.udev_name and self.addressed
        return works and fine and not (self.wedged or self.tx_hung or self.mute)

    def interface(self) -> str:
        return f"{self.path}:{self.configuration}.0"

    def link(self) -> Link:
        assert self.ifindex is not None
        return Link(
            ifindex=self.ifindex,
            device=self.name,
            mac=self.mac,
            permanent_mac=self.mac,
            admin_up=self.admin_up,
            carrier=self.carrier,
            carrier_up_count=self.ups,
            carrier_down_count=self.downs,
            physical=True,
        )

    def adapter(self) -> Adapter:
        return Adapter(
            connector=self.connector,
            bus="usb",
            driver=self.driver or "",
            vendor_id="0bda",
            product_id="8156",
            mac_assignment=0,
            usb_path=self.path,
            companion_path=self.companion,
            device_number=self.device_number,
            usb_speed_bits=5_000_000_000,
            power_control="auto" if self.autosuspend else "on",
            interface=self.interface(),
        )

    def usb_device(self) -> UsbDevice | None:
        if not self.present:
            return None
        chosen = self.authorized and self.configuration is not None
        return UsbDevice(
            usb_path=self.path,
            device_number=self.device_number,
            vendor_id="0bda",
            product_id="8156",
            interfaces=(self.interface(),) if chosen else (),
            has_link=self.ifindex is not None,
            is_bound=chosen and self.driver is not None,
        )

    def counters(self) -> Counters:
        return Counters(self.rx_packets, self.rx_packets, 0, 0, self.tx_timeouts)

    def uplink(
        self,
        gateway: str | None,
        server: str | None = None,
        network_service: NetworkService | None = None,
    ) -> Uplink | None:
        """Its routes are there for as long as its carrier and its addresses are."""
        if self.ifindex is None or not (self.admin_up and self.carrier):
            return None
        if self.name != self.udev_name:
            return None
        gateway = gateway if self.addressed and self.routed else None
        has_route = gateway is not None
        addressed = self.addressed if network_service is not None else None
        return Uplink(
            self.ifindex,
            self.name,
            gateway,
            has_route,
            server,
            addressed,
            network_service,
            given_up=self.given_up,
        )
