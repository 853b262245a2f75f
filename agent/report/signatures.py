"""Which sign speaks for which part: the table by which a report names the culprit.

A sign that is seen with one cause alone counts two, one that is seen with several counts one. A
part is named from two on; below that there is not enough evidence, which is an answer, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from agent.report.signs import (
    CARRIER_LOSSES_MIN,
    RESTART_SECONDS,
    TRANSFER_ERRORS_MANY,
    Finder,
    disconnects,
    fault,
    helped,
    kernel,
    losses,
    no_help,
    restarts,
    silent_gateway,
    slow_link,
    usb2,
    verdict,
)

Part: TypeAlias = Literal["cable", "adapter", "switch", "driver", "controller"]
PARTS: tuple[Part, ...] = get_args(Part)
ENOUGH = 2


@dataclass(frozen=True)
class Sign:
    """One row: what is looked for, and the words where it is found."""

    part: Part
    points: Literal[1, 2]
    looked_for: str
    because: str
    found: Finder


SIGNS: tuple[Sign, ...] = (
    Sign(
        "cable",
        2,
        "a link slower than `expect_speed`",
        "2.5GBASE-T needs all four pairs; with a broken one both ends agree on less",
        slow_link,
    ),
    Sign(
        "cable",
        2,
        f"at least {CARRIER_LOSSES_MIN} carrier losses without USB trouble",
        "the adapter works, and the signal does not reach it; a switch's port that fails looks "
        "the same, and is cheaper to rule out after the cable",
        losses(CARRIER_LOSSES_MIN),
    ),
    Sign(
        "cable",
        1,
        "a missing carrier that resetting the adapter does not bring back",
        "a hung PHY comes back with a reset",
        no_help,
    ),
    Sign(
        "switch",
        1,
        "a missing carrier that resetting the adapter does not bring back",
        "as above, at the other end of the cable",
        no_help,
    ),
    Sign(
        "switch",
        1,
        "carrier losses without USB trouble",
        "Energy Efficient Ethernet, a port that fails, a partner that changes its speed to save "
        "power",
        losses(1),
    ),
    Sign(
        "switch",
        1,
        f"a carrier that is back by itself after {RESTART_SECONDS[0]} to {RESTART_SECONDS[1]} s",
        "so long takes a switch that restarts",
        restarts,
    ),
    Sign(
        "switch",
        2,
        "a link that is well, with a silent gateway behind it",
        "the adapter answers and has a carrier: who is silent is behind it",
        silent_gateway,
    ),
    Sign(
        "adapter",
        2,
        "failed enumerations (`enumeration_error`)",
        "the device does not answer on a bus that works: the adapter, its plug, its power",
        kernel("enumeration_error", "the USB could not bring it up"),
    ),
    Sign(
        "adapter",
        2,
        "a probe that failed (`probe_failed`)",
        "the chip answers nonsense: it hangs, or its SuperSpeed signal is marginal",
        kernel("probe_failed", "its driver could not make sense of the chip"),
    ),
    Sign(
        "adapter",
        2,
        "over-current (`over_current`)",
        "the plug's power supply was overloaded",
        kernel("over_current", "its plug drew too much current"),
    ),
    Sign(
        "adapter",
        2,
        "a fall back to USB 2",
        "the SuperSpeed contacts do not touch well",
        usb2,
    ),
    Sign(
        "adapter",
        2,
        f"at least {TRANSFER_ERRORS_MANY} transfer errors (`transfer_error`)",
        "what crosses the USB arrives damaged: plug, USB cable, power",
        kernel("transfer_error", "USB transfers failed", TRANSFER_ERRORS_MANY),
    ),
    Sign(
        "adapter",
        1,
        "a few transfer errors",
        "as above; one or two come with any reset",
        kernel("transfer_error", "USB transfers failed", 1, TRANSFER_ERRORS_MANY),
    ),
    Sign(
        "adapter",
        2,
        "at least 3 disconnects",
        "heat, power, a worn plug",
        disconnects(3),
    ),
    Sign(
        "adapter",
        2,
        "only cutting its power helped",
        "what a reset does not reach hangs in the hardware",
        helped("only cutting its power helped", "port_power"),
    ),
    Sign(
        "adapter",
        2,
        "a missing carrier that resetting the adapter brought back",
        "its PHY hung: cable and switch were well",
        helped("a reset gave it its carrier back", "usb_reset", fault="no_carrier"),
    ),
    Sign(
        "adapter",
        1,
        "registers that cannot be read (`control_error`)",
        "the chip hangs, or the USB's signal is bad",
        kernel("control_error", "its registers could not be read"),
    ),
    Sign(
        "adapter",
        1,
        "a MAC that was lost (`mac_lost`)",
        "it was not able to read its own",
        kernel("mac_lost", "it did not know its own MAC"),
    ),
    Sign(
        "adapter",
        1,
        "an incident that no step ended",
        "what software can do was done",
        verdict("beyond_repair", "no step helped"),
    ),
    Sign(
        "driver",
        2,
        "a driver that gave up (`gave_up`)",
        "r8152 resets the device three times and then never again, also when that is well",
        kernel("gave_up", "its driver gave up"),
    ),
    Sign(
        "driver",
        2,
        "a transmit queue that hung (`tx_timeout`)",
        "firmware or driver lost a transfer: another kernel, another firmware",
        kernel("tx_timeout", "its transmit queue hung"),
    ),
    Sign(
        "driver",
        2,
        "the generic driver where r8152 belongs",
        "the kernel does not know the adapter, or chose its second configuration",
        fault("wrong_driver", "a generic driver had it"),
    ),
    Sign(
        "driver",
        1,
        "a driver that heard no more of link changes (`interrupt_stopped`)",
        "r8152 does not ask again after a USB error",
        kernel("interrupt_stopped", "its driver heard no more of link changes"),
    ),
    Sign(
        "driver",
        1,
        "trouble with link power management (`link_power`)",
        "step `tune` ends it",
        kernel("link_power", "link power management failed"),
    ),
    Sign(
        "driver",
        1,
        "offloads that fail (`offload_error`)",
        "`ethtool -K` can switch them off",
        kernel("offload_error", "an offload failed"),
    ),
    Sign(
        "driver",
        1,
        "resetting or rebinding it helped",
        "the hardware is well once it is set up anew",
        helped("a reset or a new bind helped", "usb_reset", "driver_rebind", "usb_config_cycle"),
    ),
    Sign(
        "controller",
        2,
        "a USB controller that died (`controller_died`)",
        "everything on it went at once",
        kernel("controller_died", "the USB controller died"),
    ),
)
