"""Checks: GPU memory can be read, and the GPU is shared as it is meant to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agent.audit.answer import Answer, no, unknown, yes
from agent.audit.check import Check
from agent.doctor.findings import Findings
from agent.observe.gpu_replicas import CHECKPOINT, Allotment, read_allotment
from agent.observe.pods import Pods
from agent.report.gpu_table import holder_in_words

NO_GPU = "no NVIDIA driver is installed here"


def _sampled(findings: Findings) -> Answer:
    found = findings.gpu
    if found is None or found["condition"] == "absent":
        return yes(NO_GPU)
    if found["condition"] == "released":
        return yes("the driver is released: `nodemend gpu resume` ends that")
    lost = [f"{gpu['name']} ({gpu['gpu_uuid']}): {gpu['failure']}" for gpu in found["lost"]]
    if found["condition"] == "failed" or lost:
        return no(
            "; ".join([*lost, *([found["words"]] if found["condition"] == "failed" else [])]),
            "see whether `nvidia-smi` works, and what `journalctl -k -g NVRM` says",
        )
    names = ", ".join(gpu["name"] for gpu in found["gpus"])
    return yes(f"{names or 'the sampler starts'}, driver {found['driver_version'] or 'unknown'}")


def _each_gpu(judge: Callable[[dict[str, Any]], Iterator[str]], fine: str, to_do: str) -> Any:
    """A check that looks at one GPU after the other."""

    def find(findings: Findings) -> Answer:
        found = findings.gpu
        if found is None or not found["gpus"]:
            return yes(NO_GPU) if found is None or found["condition"] == "absent" else _unseen()
        problems = [f"{gpu['name']}: {words}" for gpu in found["gpus"] for words in judge(gpu)]
        return no("\n".join(problems), to_do) if problems else yes(fine)

    return find


def _unseen() -> Answer:
    return unknown("no GPU could be read just now", "see gpu")


def _compute_mode(gpu: dict[str, Any]) -> Iterator[str]:
    mode = gpu["compute_mode"]
    if mode == "prohibited":
        yield "its compute mode is prohibited: no CUDA program can use it"
    elif mode in ("exclusive_process", "exclusive_thread") and (gpu["replicas"] or 0) > 1:
        yield f"its compute mode is {mode}: of {gpu['replicas']} replicas one can use it at a time"


def _persistence(gpu: dict[str, Any]) -> Iterator[str]:
    if gpu["persistence"] is False:
        yield (
            "persistence mode is off: whenever nobody uses the GPU the driver lets go of it, the "
            "next program waits for seconds, and accounting forgets"
        )


def _asked_for(findings: Findings) -> Answer:
    found = findings.gpu
    if found is None or not found["gpus"]:
        return yes(NO_GPU) if found is None or found["condition"] == "absent" else _unseen()
    given = _allotment(findings).pods
    pods = [h for gpu in found["gpus"] for h in gpu["holders"] if h["pod_uid"] and h["processes"]]
    if not pods:
        return yes("no pod holds GPU memory just now")
    if given is None:
        return unknown(f"the kubelet's /{CHECKPOINT} cannot be read", "sudo nodemend doctor")
    uninvited = sorted({holder_in_words(h) for h in pods if h["pod_uid"] not in given})
    if uninvited:
        return no(
            f"hold GPU memory without having asked for a GPU: {', '.join(uninvited)}; the "
            "scheduler does not count them",
            "give them `resources: {limits: {nvidia.com/gpu: 1}}`, or take runtimeClassName: "
            "nvidia or NVIDIA_VISIBLE_DEVICES from them",
        )
    return yes(f"{len({h['pod_uid'] for h in pods})} pod(s) hold GPU memory, and asked for it")


def _replicas(findings: Findings) -> Answer:
    found = findings.gpu
    if found is None or not found["gpus"]:
        return yes(NO_GPU) if found is None or found["condition"] == "absent" else _unseen()
    allotted = _allotment(findings).replicas
    problems, fine = [], []
    for gpu in found["gpus"]:
        replicas = gpu["replicas"]
        holders = {h["pod_uid"] for h in gpu["holders"] if h["pod_uid"] and h["processes"]}
        told = allotted.get(gpu["gpu_uuid"], allotted.get(""))
        if replicas is not None and told is not None and replicas != told:
            problems.append(
                f"{gpu['name']}: gpu.replicas is {replicas}, the device plugin shares it by {told}"
            )
        if replicas is not None and len(holders) > replicas:
            problems.append(
                f"{gpu['name']}: {len(holders)} pods hold memory of {replicas} replicas"
            )
        fine.append(f"{gpu['name']}: {len(holders)} pods, {replicas or 'unknown'} replicas")
    if problems:
        return no(
            "\n".join(problems),
            "set gpu.replicas as the device plugin has it, or leave it out; see gpu_asked_for",
        )
    return yes("; ".join(fine))


def _allotment(findings: Findings) -> Allotment:
    root = findings.machine.root
    return read_allotment(root, Pods(root).here())


GPU_CHECKS: tuple[Check[Findings], ...] = (
    Check(
        "gpu",
        "there is no NVIDIA driver, or every GPU can be read",
        "without it nobody knows which pod holds the memory",
        _sampled,
    ),
    Check(
        "gpu_compute_mode",
        "the compute mode lets programs share the GPU, where it is time-sliced",
        "in an exclusive mode the second replica fails, whatever the scheduler says",
        _each_gpu(_compute_mode, "it lets programs in", "nvidia-smi -c DEFAULT"),
    ),
    Check(
        "gpu_persistence",
        "persistence mode is on",
        "without it the driver initialises the GPU anew for each first program",
        _each_gpu(
            _persistence,
            "persistence mode is on, or not to be had here",
            "systemctl enable --now nvidia-persistenced",
        ),
    ),
    Check(
        "gpu_asked_for",
        "every pod that holds GPU memory has asked for a GPU",
        "what the scheduler does not count takes the memory of those that it does",
        _asked_for,
    ),
    Check(
        "gpu_replicas",
        "no more pods hold memory than there are replicas, and the configuration agrees with the "
        "device plugin",
        "the fair share that is shown would be wrong",
        _replicas,
    ),
)
