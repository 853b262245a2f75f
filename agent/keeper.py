"""When the state goes to disk: at once where a restart would need it, else a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from agent.model.state import Durable, Senses, State
from agent.store import Store

# Counts wait for each other: the kernel keeps them too, so that a kill loses none of them.
SAVE_INTERVAL_SECONDS = 2.0
RETRY_SECONDS = 30.0  # a disk that was full or read-only may be well again


class Keeper:
    """Compares each state with the one saved last."""

    def __init__(self, store: Store) -> None:
        """Nothing is saved yet."""
        self._store = store
        self._saved: Durable | None = None
        self._saved_at = 0.0
        self._failed = False

    def keep(self, state: State) -> None:
        """Save what changed, if it is time."""
        durable = durable_of(state)
        since_seconds = time.monotonic() - self._saved_at
        if durable == self._saved:
            due = self._failed and since_seconds >= RETRY_SECONDS
        elif self._saved is None or _netdevs(durable) != _netdevs(self._saved):
            due = True  # after a restart only this record tells a replug from a first sight
        else:
            due = since_seconds >= SAVE_INTERVAL_SECONDS
        if due:
            self.keep_now(state, lambda _durable: None)

    def keep_now(self, state: State, done: Callable[[bool], None]) -> None:
        """Save, whether or not it changed; `done` hears from another thread if it is on disk."""
        self._saved = durable_of(state)
        self._saved_at = time.monotonic()
        self._failed = False
        self._store.save(self._saved, partial(self._heard, done))

    def _heard(self, done: Callable[[bool], None], durable: bool) -> None:
        # Not from the store's condition: an older save that succeeds later says nothing of this.
        self._failed = self._failed or not durable
        done(durable)


def durable_of(state: State) -> Durable:
    """What to keep; the rest is found out anew with each start, and would only cause writes."""
    nics = {key: replace(nic, heard_listing=0, senses=Senses()) for key, nic in state.nics.items()}
    return Durable(state.boot_id, nics, state.kernel_log_sequence)


def _netdevs(durable: Durable) -> list[int | None]:
    return [nic.link.ifindex if nic.link else None for nic in durable.nics.values()]
