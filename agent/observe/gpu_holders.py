"""Whose a GPU process is: from its pid to a container of a pod, or a unit of the host.

Remembered by pid and start, since pids are used again. What cannot be found out stays visible under
what is known of it, so that sums always add up: a pod without a name has its uid.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.model.gpu import GpuProcess, Holder, Holding
from agent.observe.cgroup import Place, place
from agent.observe.pods import Pods
from agent.observe.process import identity

CGROUP_BYTES_MAX = 64 * 1024
RENAME_SECONDS = 10.0  # between looks for a name that was not found
UNKNOWN_UNIT = "unknown"  # it ended before anybody could look


@dataclass(frozen=True)
class _Known:
    place: Place
    holder: Holder
    looked_at: float


class Holders:
    """Looks each process up once."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Nothing is known yet."""
        self._proc, self.pods = root / "proc", Pods(root)
        self._known: dict[tuple[int, int], _Known] = {}

    def of(self, processes: Iterable[GpuProcess]) -> tuple[Holding, ...]:
        """Each process with its holder."""
        return tuple(Holding(process, self._holder(process)) for process in processes)

    def keep_only(self, processes: Iterable[GpuProcess]) -> None:
        """Forget all others; with that, the memory of it is bounded by the driver's own list."""
        keys = {(process.pid, process.start_ticks) for process in processes}
        self._known = {key: known for key, known in self._known.items() if key in keys}

    def _holder(self, process: GpuProcess) -> Holder:
        key = (process.pid, process.start_ticks)
        known = self._known.get(key)
        now = time.monotonic()
        if known is None:
            found = self._place(process)
            known = _Known(found, self._named(found, Holder()), now)
        elif known.holder.pod_uid and not (known.holder.pod and known.holder.container):
            if now - known.looked_at < RENAME_SECONDS:
                return known.holder
            known = _Known(known.place, self._named(known.place, known.holder), now)
        self._known[key] = known
        return known.holder

    def _place(self, process: GpuProcess) -> Place:
        path = self._proc / str(process.pid) / "cgroup"
        try:
            with path.open("rb") as file:
                text = file.read(CGROUP_BYTES_MAX).decode(errors="replace")
        except OSError:
            return Place(unit=UNKNOWN_UNIT)
        found = place(text)
        # The pid may have been used again since it was listed: then this is somebody else's.
        is_same = (identity(process.pid, self._proc) or (None,))[0] == process.start_ticks
        return found if is_same else Place(unit=UNKNOWN_UNIT)

    def _named(self, found: Place, before: Holder) -> Holder:
        if found.unit:
            return Holder(unit=found.unit)
        holder = replace(before, pod_uid=found.pod_uid)
        name = (self.pods.here() or {}).get(found.pod_uid)
        if name is not None:
            holder = replace(holder, namespace=name.namespace, pod=name.pod)
        bundle = self.pods.container(found.container_id)
        if bundle is None:
            return holder
        return replace(
            holder,
            namespace=holder.namespace or bundle.namespace,
            pod=holder.pod or bundle.pod,
            container=holder.container or bundle.container,
        )
