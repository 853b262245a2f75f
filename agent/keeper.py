"""When the state goes to disk: at once where a restart would need it, else a moment later.

Writes are bounded, however the node fares: each save is an fsync of the file and one of its
directory, and a NIC that flaps for days must not wear out the disk of its node. Saves are paid
from a purse that fills by one a minute. While more than half of it is left, changes of counts
are saved within seconds; below that once a minute, so that the rest is there for what matters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from agent.model.state import Durable, Senses, State
from agent.store import Store

PURSE_SAVES_MAX = 60
REFILL_SECONDS = 60.0  # for one save
# Counts wait for each other: the kernel keeps them too, so that a kill loses none of them.
SAVE_INTERVAL_SECONDS = 2.0
SPARING_INTERVAL_SECONDS = 60.0
# How far the kernel's log is taken in: without it, what follows the last save is read again.
PROGRESS_INTERVAL_SECONDS = 600.0
RETRY_SECONDS = 30.0  # a disk that was full or read-only may be well again


class Keeper:
    """Compares each state with the one saved last."""

    def __init__(self, store: Store[Durable]) -> None:
        """Nothing is saved yet."""
        self._store = store
        self._saved: Durable | None = None
        self._saved_at = 0.0
        self._failed = False
        self._purse = float(PURSE_SAVES_MAX)
        self._filled_at = time.monotonic()

    def keep(self, state: State) -> None:
        """Save what changed, if it is time."""
        durable = durable_of(state)
        wait_seconds = self._wait_seconds(durable)
        if wait_seconds is not None and time.monotonic() - self._saved_at >= wait_seconds:
            self.keep_now(state, lambda _durable: None)

    def keep_now(self, state: State, done: Callable[[bool], None]) -> None:
        """Save, whether or not it changed; `done` hears from another thread if it is on disk."""
        self._fill()
        self._purse = max(0.0, self._purse - 1)
        self._saved = durable_of(state)
        self._saved_at = time.monotonic()
        self._failed = False
        self._store.save(self._saved, partial(self._heard, done))

    def _wait_seconds(self, durable: Durable) -> float | None:
        """How long after the last save this is due; None where there is nothing to save."""
        if self._saved is None:
            return 0.0
        self._fill()
        due_seconds = self._due_seconds(durable, self._saved)
        if not self._failed:
            return due_seconds
        # What failed was more than what has changed since: that must not put the retry off.
        retry_seconds = RETRY_SECONDS if self._purse >= 1 else SPARING_INTERVAL_SECONDS
        return retry_seconds if due_seconds is None else min(due_seconds, retry_seconds)

    def _due_seconds(self, durable: Durable, saved: Durable) -> float | None:
        if durable == saved:
            return None
        if _netdevs(durable) != _netdevs(saved) or durable.pause != saved.pause:
            # After a restart only this record tells a replug from a first sight, and a link that
            # somebody set down from one that was never up; and what somebody was told to be paused
            # stays so.
            return 0.0 if self._purse >= 1 else SPARING_INTERVAL_SECONDS
        if durable == replace(saved, kernel_log_sequence=durable.kernel_log_sequence):
            return PROGRESS_INTERVAL_SECONDS
        is_rich = self._purse > PURSE_SAVES_MAX / 2
        return SAVE_INTERVAL_SECONDS if is_rich else SPARING_INTERVAL_SECONDS

    def _fill(self) -> None:
        now = time.monotonic()
        earned = (now - self._filled_at) / REFILL_SECONDS
        self._purse = min(float(PURSE_SAVES_MAX), self._purse + earned)
        self._filled_at = now

    def _heard(self, done: Callable[[bool], None], durable: bool) -> None:
        # Not from the store's condition: an older save that succeeds later says nothing of this.
        self._failed = self._failed or not durable
        done(durable)


def durable_of(state: State) -> Durable:
    """What to keep; the rest is found out anew with each start, and would only cause writes."""
    nics = {key: replace(nic, heard_listing=0, senses=Senses()) for key, nic in state.nics.items()}
    return Durable(
        state.boot_id,
        nics,
        state.kernel_log_sequence,
        state.unclean_starts_wall_ns,
        state.ended,
        state.pause,
        state.gpu.gpus,
        state.cni.counts,
    )


def _netdevs(durable: Durable) -> list[tuple[int, bool] | None]:
    return [(nic.link.ifindex, nic.was_up) if nic.link else None for nic in durable.nics.values()]
