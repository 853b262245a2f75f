"""What to do next by hand, for each reason that a NIC is not healthy: one table.

The status page, `nodemend status` and the console's login prompt show the same sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.model.state import HEALTH_STATES, Nic

# By the name of the check that speaks (decide/health.py, CHECKS).
NEXT_STEPS: Mapping[str, str] = {
    "missing": "Look whether the adapter is plugged in and its lights are on; pull it out and put "
    "it back, then try another port. `lsusb` must show it.",
    "admin_down": "Somebody set it down. `ip link set {device} up` brings it back.",
    "no_carrier": "Check the cable at both ends and the switch's port; then try another cable.",
    "driver_gave_up": "Pull the adapter out and put it back. If it goes on: `journalctl -k`.",
    "tx_timeout": "Pull the adapter out and put it back. If it goes on: `journalctl -k`.",
    "silence": "See whether the gateway {gateway} and the switch are up for others. If so, pull "
    "the adapter out and put it back.",
    "unconfigured": "`networkctl reconfigure {device}` has networkd try again; `journalctl -u "
    "systemd-networkd` says what it stumbled over.",
    "unaddressed": "See whether the DHCP server is there. `networkctl status {device}`, or "
    "`nmcli device show {device}`, says what became of it.",
    "unrouted": "`networkctl reconfigure {device}`, or `nmcli device reapply {device}`, sets its "
    "routes anew. `journalctl -u systemd-networkd` says what became of them.",
    "flapping": "Change the cable, then the switch's port, then the adapter: in this order.",
    "slow_link": "Change the cable: one broken pair is enough. See what the switch's port can do.",
    "usb2": "Plug it into a USB 3 port, without a hub or extension in between.",
    "wrong_driver": "Load r8152 (`modprobe r8152`), then pull the adapter out and put it back.",
    "lost_name": "Pull the adapter out and put it back. By hand: `ip link set {device} down`, then "
    "`name` and the name that it had, then `up`.",
    "random_mac": "Pull the adapter out and put it back: its own MAC could not be read.",
    "interrupt_stopped": "Pull the adapter out and put it back while nobody depends on it.",
    "control_errors": "Pull the adapter out and put it back; if it goes on, try another port.",
    "speed_unanswered": "If `ip link` hangs as well, pull the adapter out and put it back.",
    "errors": "Change the cable; if errors go on, the switch's port.",
}


def next_step(nic: Nic) -> str | None:
    """The sentence for the worst of what is wrong; None where nothing is, or nothing is judged."""
    health = nic.senses.health
    if health is None or not health.checks:
        return None
    uplink = nic.senses.uplink
    return NEXT_STEPS[health.checks[0]].format(
        device=nic.link.device if nic.link else "the interface",
        gateway=uplink.gateway if uplink and uplink.gateway else "of its network",
    )


def worst_first(nics: Mapping[str, Nic]) -> list[Nic]:
    """As a tired person wants to read them; those that are not judged come last."""

    def rank(nic: Nic) -> int:
        health = nic.senses.health
        return HEALTH_STATES.index(health.state) if health else len(HEALTH_STATES)

    return sorted(nics.values(), key=rank)
