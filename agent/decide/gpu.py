"""The GPU machine: which GPUs there are, their faults, and what happens when head-room runs out.

CUDA raises no Xid where memory runs out: the program that asks gets an error and mostly ends. So
what is known of such a death is who held how much when head-room ran out, and who ended then.
"""

from __future__ import annotations

from dataclasses import replace

from agent.decide import headroom, xid
from agent.decide.decision import SECOND_NS, Decision
from agent.model.facts import Fact, Started, TimeReached
from agent.model.facts_of_gpus import (
    GpuHeadroomRead,
    GpuPeaksSpoiled,
    GpuReleaseRequested,
    GpuSamplerEnded,
    GpusSeen,
    GpuXidSeen,
    SeenGpu,
)
from agent.model.gpu import Holding
from agent.model.identity import Stamp
from agent.model.incident import INCIDENTS_MAX
from agent.model.outputs import Output, Tell, Wake
from agent.model.policy import Policy
from agent.model.state import Gpu, GpuIncident, GpuVictim, State
from agent.model.verdicts import StateSetAside
from agent.model.verdicts_of_gpus import (
    GpuFound,
    GpuHardwareFault,
    GpuHeadroomBack,
    GpuHeadroomOut,
    GpuLost,
    GpuProgramFault,
    GpuReleased,
    GpuReturned,
    GpuSamplerRestarted,
    GpuTakenUp,
    GpuVictimSeen,
)

GPUS_MAX = 64
CODES_MAX = 64  # of one GPU
VICTIMS_MAX = 16  # of one incident
SETTLE_SECONDS = 30  # head-room for so long, and the incident is over
# A fault that goes on, and a sampler that fails on and on, are told again so often.
XID_SECONDS = 60
RESTART_SECONDS = 3600
TOPIC = "gpu:"
_MEBIBYTE = 1024 * 1024


def decide(state: State, fact: Fact, policy: Policy) -> Decision:
    """What the fact means for the GPUs."""
    match fact:
        case Started():
            return _restored(state, fact)
        case GpusSeen():
            return _seen(state, fact)
        case GpuXidSeen():
            return _fault(state, fact)
        case GpuHeadroomRead():
            return _headroom(state, fact, policy)
        case TimeReached(topic=topic) if topic.startswith(TOPIC):
            return _settled(state, topic.removeprefix(TOPIC), fact.at)
        case GpuSamplerEnded():
            return _sampler_ended(state, fact)
        case GpuReleaseRequested(seconds=0):
            return state, (Tell(GpuTakenUp()),)
        case GpuReleaseRequested():
            return state, (Tell(GpuReleased(fact.seconds)),)
        case GpuPeaksSpoiled():
            return state, (Tell(StateSetAside(fact.path, fact.reason)),)
        case _:
            return state, ()


def _restored(state: State, fact: Started) -> Decision:
    """The counts go on; an incident that was open is not any more: nobody watched its end.

    A GPU that was lost, and then the node was booted, may have been taken out.
    """
    found = fact.restored
    if found is None:
        return state, ()
    same_boot = found.boot_id == fact.boot_id
    gpus = {uuid: gpu for uuid, gpu in found.gpus.items() if same_boot or not gpu.failure}
    closed = {uuid: _closed(replace(gpu, xids_told_ns={}), fact.at) for uuid, gpu in gpus.items()}
    return _with(state, *closed.values()), ()


# --- which there are --------------------------------------------------------------------------


def _seen(state: State, fact: GpusSeen) -> Decision:
    outputs: list[Output] = []
    listed = {seen.gpu_uuid for seen in fact.gpus}
    for seen in fact.gpus:
        known = state.gpu.gpus.get(seen.gpu_uuid)
        if not seen.gpu_uuid or (known is None and len(state.gpu.gpus) >= GPUS_MAX):
            continue
        outputs += _told(known, seen, fact.driver_version)
        gpu = replace(known or Gpu(seen.gpu_uuid, seen.name), failure=seen.failure)
        state = _with(state, replace(gpu, name=seen.name or gpu.name))
    # One that is lost may not be listed any more, or be listed without being able to say who it is.
    words = next((seen.failure for seen in fact.gpus if not seen.gpu_uuid), "NVML lists it no more")
    for gpu in tuple(state.gpu.gpus.values()):
        if gpu.gpu_uuid not in listed and not gpu.failure:
            outputs.append(Tell(GpuLost(gpu.gpu_uuid, gpu.name, words)))
            state = _with(state, replace(gpu, failure=words))
    return state, tuple(outputs)


def _told(known: Gpu | None, seen: SeenGpu, driver_version: str) -> list[Output]:
    if known is None and not seen.failure:
        return [Tell(GpuFound(seen.gpu_uuid, seen.name, driver_version))]
    if known is None or (seen.failure and not known.failure):
        return [Tell(GpuLost(seen.gpu_uuid, seen.name, seen.failure))]
    if known.failure and not seen.failure:
        return [Tell(GpuReturned(seen.gpu_uuid, seen.name))]
    return []


# --- faults -----------------------------------------------------------------------------------


def _fault(state: State, fact: GpuXidSeen) -> Decision:
    gpu = state.gpu.gpus.get(fact.gpu_uuid)
    code = str(fact.xid)
    if gpu is None or (code not in gpu.xids_total and len(gpu.xids_total) >= CODES_MAX):
        return state, ()
    total = gpu.xids_total.get(code, 0) + fact.count
    gpu = replace(gpu, xids_total={**gpu.xids_total, code: total})
    told_ns = gpu.xids_told_ns.get(code)
    if told_ns is not None and 0 <= fact.at.boottime_ns - told_ns < XID_SECONDS * SECOND_NS:
        return _with(state, gpu), ()
    gpu = replace(gpu, xids_told_ns={**gpu.xids_told_ns, code: fact.at.boottime_ns})
    verdict = GpuProgramFault if fact.xid in xid.PROGRAM_XIDS else GpuHardwareFault
    told = verdict(gpu.gpu_uuid, gpu.name, fact.xid, xid.meaning(fact.xid), total)
    return _with(state, gpu), (Tell(told),)


# --- head-room --------------------------------------------------------------------------------


def _headroom(state: State, fact: GpuHeadroomRead, policy: Policy) -> Decision:
    gpu = state.gpu.gpus.get(fact.gpu_uuid)
    if gpu is None:
        return state, ()
    outputs: list[Output] = []
    needed = policy.gpu.headroom_bytes
    was_low, is_low = gpu.is_low, headroom.is_low(fact.free_bytes, needed, was_low=gpu.is_low)
    if is_low and open_incident(gpu) is None:
        gpu = _opened(gpu, fact)
        outputs.append(Tell(_ran_out(gpu, fact)))
    gpu, told = _with_victims(gpu, fact)
    outputs += told
    gpu = replace(gpu, is_low=is_low)
    if was_low and not is_low:
        due_ns = fact.at.boottime_ns + SETTLE_SECONDS * SECOND_NS
        outputs.append(Wake(due_ns, f"{TOPIC}{gpu.gpu_uuid}"))
    return _with(state, gpu), tuple(outputs)


def _opened(gpu: Gpu, fact: GpuHeadroomRead) -> Gpu:
    incident = GpuIncident(
        id=f"{gpu.gpu_uuid[:12]}-{fact.at.wall_ns // SECOND_NS}",
        opened=fact.at,
        free_bytes=fact.free_bytes,
        total_bytes=fact.total_bytes,
        before=fact.before,
        holdings=fact.holdings,
    )
    return replace(gpu, incidents=(*gpu.incidents, incident)[-INCIDENTS_MAX:])


def _ran_out(gpu: Gpu, fact: GpuHeadroomRead) -> GpuHeadroomOut:
    return GpuHeadroomOut(
        gpu.gpu_uuid,
        gpu.name,
        fact.free_bytes // _MEBIBYTE,
        fact.total_bytes // _MEBIBYTE,
        tuple(in_words(holding) for holding in fact.holdings),
        tuple(in_words(holding) for holding in fact.before),
    )


def _with_victims(gpu: Gpu, fact: GpuHeadroomRead) -> tuple[Gpu, list[Output]]:
    incident = open_incident(gpu)
    if incident is None:
        return gpu, []
    room = VICTIMS_MAX - len(incident.victims)
    ended = fact.ended[: max(0, room)]
    victims = (*incident.victims, *(GpuVictim(holding, fact.at) for holding in ended))
    free_bytes = min(incident.free_bytes, fact.free_bytes)
    incident = replace(incident, victims=victims, free_bytes=free_bytes)
    told: list[Output] = [
        Tell(
            GpuVictimSeen(
                gpu.gpu_uuid,
                gpu.name,
                in_words(holding),
                (holding.process.used_bytes or 0) // _MEBIBYTE,
            )
        )
        for holding in ended
    ]
    return replace(gpu, incidents=(*gpu.incidents[:-1], incident)), told


def _settled(state: State, gpu_uuid: str, at: Stamp) -> Decision:
    gpu = state.gpu.gpus.get(gpu_uuid)
    incident = open_incident(gpu) if gpu is not None else None
    if gpu is None or incident is None or gpu.is_low:
        return state, ()
    lasted_ns = max(0, at.boottime_ns - incident.opened.boottime_ns)
    free_mib = incident.free_bytes // _MEBIBYTE
    told = GpuHeadroomBack(gpu.gpu_uuid, gpu.name, free_mib, lasted_ns // SECOND_NS)
    return _with(state, _closed(gpu, at)), (Tell(told),)


def open_incident(gpu: Gpu) -> GpuIncident | None:
    """The one that is not over."""
    return gpu.incidents[-1] if gpu.incidents and gpu.incidents[-1].closed is None else None


def _closed(gpu: Gpu, at: Stamp) -> Gpu:
    incident = open_incident(gpu)
    if incident is None:
        return replace(gpu, is_low=False)
    incidents = (*gpu.incidents[:-1], replace(incident, closed=at))
    return replace(gpu, incidents=incidents, is_low=False)


def in_words(holding: Holding) -> str:
    """For the journal: whose it is, which process, how much."""
    holder, process = holding.holder, holding.process
    pod = "/".join(filter(None, (holder.namespace, holder.pod, holder.container)))
    whose = pod or holder.unit or f"pod {holder.pod_uid}"
    much = "N/A" if process.used_bytes is None else f"{process.used_bytes // _MEBIBYTE} MiB"
    return f"{whose}, process {process.pid} ({process.process}): {much}"


# --- the sampler ------------------------------------------------------------------------------


def _sampler_ended(state: State, fact: GpuSamplerEnded) -> Decision:
    watch = state.gpu
    total = watch.restarts_total.get(fact.reason, 0) + 1
    watch = replace(watch, restarts_total={**watch.restarts_total, fact.reason: total})
    is_told = fact.reason == watch.told_reason
    if is_told and 0 <= fact.at.boottime_ns - watch.told_ns < RESTART_SECONDS * SECOND_NS:
        return replace(state, gpu=watch), ()
    watch = replace(watch, told_reason=fact.reason, told_ns=fact.at.boottime_ns)
    seconds = fact.retry_seconds
    next_try = "once it has ended" if seconds is None else f"in {seconds:.0f} s"
    told = GpuSamplerRestarted(fact.reason, fact.words, next_try)
    return replace(state, gpu=watch), (Tell(told),)


def _with(state: State, *gpus: Gpu) -> State:
    watch = replace(state.gpu, gpus={**state.gpu.gpus, **{gpu.gpu_uuid: gpu for gpu in gpus}})
    return replace(state, gpu=watch)
