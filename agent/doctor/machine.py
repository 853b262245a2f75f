"""The machine: its files, and what else of it may be asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent.audit import kernel, networkd, upgrades
from agent.audit.host import Host
from agent.gpu_glance import ask_or_sample
from agent.model.identity import Link
from agent.observe.rtnetlink import list_links
from agent.places import NAME, Places, places

LISTING_SECONDS = 5.0
GPU_SECONDS = 10.0


@dataclass(frozen=True)
class Machine(Host):
    """One machine, and what this process may do there."""

    config_path: Path | None  # None: where the service looks
    places: Places
    is_root: bool
    # None where the links of `root` are not to be asked for: it is not the running machine's.
    list_links: Callable[[], tuple[Link, ...]] | None
    # As `nodemend gpu --format json` has it; None for another machine than the running one.
    look_at_gpus: Callable[[], dict[str, Any]] | None = None
    ask_networkd: networkd.Ask = networkd.of_another_host
    list_one: kernel.List = kernel.of_another_host
    pending: upgrades.Pending | None = None


def machine_at(root: Path, config_path: Path | None) -> Machine:
    """The machine below `root`; only that of "/" is asked for its links."""
    is_root = os.geteuid() == 0
    is_running = root == Path("/")
    installed = Places(root / "var/lib" / NAME, root / "run" / NAME)
    # The service's, where it ever ran since the boot; else those of a daemon of this user's own.
    own = is_running and not is_root and not installed.runtime.exists()
    here = places() if own else installed
    return Machine(
        root=root,
        config_path=config_path,
        places=here,
        is_root=is_root,
        list_links=partial(list_links, LISTING_SECONDS) if is_running else None,
        look_at_gpus=partial(_gpus, here) if is_running else None,
        ask_networkd=networkd.ask if is_running else networkd.of_another_host,
        list_one=kernel.listed if is_running else kernel.of_another_host,
        pending=upgrades.pending if is_running else None,
    )


def _gpus(here: Places) -> dict[str, Any]:
    found, _ = ask_or_sample(here.control_socket, GPU_SECONDS)
    return found
