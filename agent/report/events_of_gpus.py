"""Events: GPUs, their faults, their head-room, their sampler."""

from __future__ import annotations

from collections.abc import Mapping

from agent.model import verdicts_of_gpus as verdicts
from agent.report.event import ERROR, INFO, NOTICE, WARNING, Event

GPU_EVENTS: Mapping[type, Event] = {
    verdicts.GpuFound: Event(
        name="gpu_found",
        message_id="7ef5dcc7758b4c87965897fc211f40a7",
        priority=INFO,
        line="{name} ({gpu}, driver {driver_version}): who holds its memory is watched",
        subject="GPU @NODEMEND_NAME@ is watched",
        cause="NVML lists a GPU that was not known.",
        done="Its memory is sampled from now on, by pod, unit and process.",
        to_do="Nothing. `nodemend gpu` shows who holds what.",
    ),
    verdicts.GpuLost: Event(
        name="gpu_lost",
        message_id="0955aab1bd0f4941bbb2e9f91a82b86e",
        priority=ERROR,
        line="{name} ({gpu}) cannot be read any more: {reason}",
        subject="GPU @NODEMEND_NAME@ is lost",
        cause="NVML knows the GPU no more, or it does not answer: it fell off the bus (Xid 79), "
        "needs a reset, or its driver failed.",
        done="nodemend_gpu_up is 0 and its other series are gone. It is looked for again and "
        "again.",
        to_do="`journalctl -k -g NVRM` says what the driver saw, `nvidia-smi` what it can do now. "
        "A GPU that fell off the bus mostly needs a reboot, often a cold one; if it repeats, see "
        "power, heat and seat of the card.",
    ),
    verdicts.GpuReturned: Event(
        name="gpu_returned",
        message_id="8934b0884be742289b517d2f313b2346",
        priority=NOTICE,
        line="{name} ({gpu}) can be read again",
        subject="GPU @NODEMEND_NAME@ is back",
        cause="A GPU that was lost answers again.",
        done="Its memory is sampled again; its counts go on.",
        to_do="See why it was lost: the line before says so.",
    ),
    verdicts.GpuProgramFault: Event(
        name="gpu_program_fault",
        message_id="59fe3f7e007d41d99e519b036f6ff1cf",
        priority=WARNING,
        line="{name} ({gpu}): Xid {xid}, {meaning} ({total} in all)",
        subject="A program's fault on GPU @NODEMEND_NAME@: Xid @NODEMEND_XID@",
        cause="The driver ended a program's work on the GPU. The GPU is well.",
        done="It is counted in nodemend_gpu_xid_errors_total; the same is told once a minute at "
        "most.",
        to_do="`journalctl -k -g Xid` names the process; see what the program did.",
    ),
    verdicts.GpuHardwareFault: Event(
        name="gpu_hardware_fault",
        message_id="7a57c32d00b440a0ac65c1306533368d",
        priority=ERROR,
        line="{name} ({gpu}): Xid {xid}, {meaning} ({total} in all)",
        subject="A fault of GPU @NODEMEND_NAME@: Xid @NODEMEND_XID@",
        cause="The driver reported a fault of the GPU, its memory, the bus or itself.",
        done="It is counted in nodemend_gpu_xid_errors_total; the same is told once a minute at "
        "most.",
        to_do="See NVIDIA's page on Xid errors (docs.nvidia.com/deploy/xid-errors) for what to do "
        "about this code; `nvidia-smi -q -d ECC,PAGE_RETIREMENT` for memory errors.",
    ),
    verdicts.GpuHeadroomOut: Event(
        name="gpu_headroom_out",
        message_id="c1b6e2e4836b47ed858da433197748af",
        priority=WARNING,
        line="{name} ({gpu}) has {free_mib} of {total_mib} MiB free. Held by: {holders}. One "
        "sample earlier: {before}",
        subject="GPU @NODEMEND_NAME@ is full",
        cause="Less memory is free than gpu.headroom says the next process needs. Where a GPU is "
        "shared by time-slicing, nothing keeps one pod from taking what another needs: the next "
        "that asks gets an error, and mostly ends.",
        done="Who holds how much is on record (`nodemend incidents list`). A process that ends "
        "within the next half minute is told as the likely victim: CUDA reports no Xid for this.",
        to_do="Compare the holders with their fair share (`nodemend gpu`). Bound the largest, e.g. "
        "PYTORCH_CUDA_ALLOC_CONF, XLA_PYTHON_CLIENT_MEM_FRACTION or vLLM's "
        "--gpu-memory-utilization, or give it a GPU of its own.",
    ),
    verdicts.GpuVictimSeen: Event(
        name="gpu_victim",
        message_id="0e6ea14824d54efbb8db3ec4c5b2d2fc",
        priority=WARNING,
        line="likely a victim of the full {name} ({gpu}): {holder}, which ended",
        subject="A process ended while GPU @NODEMEND_NAME@ was full",
        cause="It held memory of a GPU whose head-room had run out, and let go of it. That it "
        "ended because of that is likely, and not known.",
        done="It is on record with the incident.",
        to_do="See its own log for an out of memory error (`kubectl logs --previous`).",
    ),
    verdicts.GpuHeadroomBack: Event(
        name="gpu_headroom_back",
        message_id="6bbfc9a780aa4a7185d25561c3a5afa7",
        priority=NOTICE,
        line="{name} ({gpu}) has head-room again; {free_mib} MiB were the least, and it lasted "
        "{lasted_seconds} s",
        subject="GPU @NODEMEND_NAME@ has head-room again",
        cause="Enough memory is free, and was for half a minute.",
        done="The incident is closed.",
        to_do="Nothing more than to keep it from happening again.",
    ),
    verdicts.GpuSamplerRestarted: Event(
        name="gpu_sampler_restarted",
        message_id="48ef5e3017da4c5d966654393ae23e99",
        priority=WARNING,
        line="the GPU sampler ended ({reason}): {detail}; another one starts {next_try}",
        subject="nodemend's GPU sampler ended: @NODEMEND_REASON@",
        cause="The process that talks to NVML said nothing in time, crashed, or found that the "
        "driver is gone or another one. Nothing but the GPU's numbers depends on it.",
        done="nodemend_gpu_up is 0 until there is a sample again. Another process is started, "
        "later each time, a minute at most; one that hangs in the kernel is waited for instead. "
        "The same reason is told once an hour at most, and counted in "
        "nodemend_gpu_sampler_restarts_total.",
        to_do="driver_replaced: the driver was upgraded and the old kernel module is still loaded: "
        "reboot, or unload it. no_driver: `nvidia-smi`, `lsmod`, `dmesg`. deadline: see whether "
        "`nvidia-smi` hangs as well, and `journalctl -k -g NVRM`. crash: the detail says how; see "
        "whether `nvidia-smi` works.",
    ),
    verdicts.GpuReleased: Event(
        name="gpu_released",
        message_id="a75593682c64422d976a607498c7f03c",
        priority=NOTICE,
        line="the GPU's driver is let go of for {seconds} s",
        subject="nodemend lets go of the GPU's driver",
        cause="Somebody ran `nodemend gpu release`.",
        done="The sampler is ended: nothing of nodemend holds the driver, so that it can be "
        "unloaded or upgraded. GPU memory is not known meanwhile.",
        to_do="Nothing: it begins again by itself. `nodemend gpu resume` begins now.",
    ),
    verdicts.GpuTakenUp: Event(
        name="gpu_taken_up",
        message_id="85b33ee56ba74866bf3b84686ade836a",
        priority=NOTICE,
        line="GPU memory is looked at again",
        subject="nodemend looks at GPU memory again",
        cause="Somebody ran `nodemend gpu resume`.",
        done="The sampler is started.",
        to_do="Nothing.",
    ),
}
