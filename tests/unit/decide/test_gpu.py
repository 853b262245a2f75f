"""GPUs that come and go, their faults, and what happens when head-room runs out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent import gpu_notice
from agent.keeper import durable_of
from agent.model.facts import TimeReached
from agent.model.facts_of_gpus import (
    GpuHeadroomRead,
    GpuPeaksSpoiled,
    GpuReleaseRequested,
    GpuSamplerEnded,
    GpusSeen,
    GpuXidSeen,
    SeenGpu,
)
from agent.model.gpu import GpuProcess, GpuReading, GpuSample, GpuXid, Holder, Holding
from agent.model.outputs import Wake
from agent.model.state import Gpu
from agent.model.verdicts import StateSetAside, Verdict
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
from tests.builders import Node

MIB = 1024 * 1024
UUID = "GPU-3c9b1a52-7d0e-4b6f-9f5c-0c7c5f2ad1e4"
WELL = SeenGpu(UUID, "Tesla T4", "")
LOST = replace(WELL, failure="GPU is lost")
TRAINER = Holding(
    GpuProcess(4711, 90, "python", 9000 * MIB), Holder("", "u", "ml", "trainer-0", "train")
)
GDM = Holding(GpuProcess(812, 12, "Xorg", 60 * MIB), Holder(unit="gdm.service"))


@pytest.fixture
def node() -> Node:
    """With one T4."""
    node = Node()
    node.start()
    seen(node, WELL)
    return node


def seen(node: Node, *gpus: SeenGpu) -> list[Verdict]:
    return node.take(GpusSeen(node.at(), "535.247.01", gpus))


def gpu(node: Node) -> Gpu:
    return node.state.gpu.gpus[UUID]


def headroom(
    node: Node, free_mib: int, *ended: Holding, holdings: tuple[Holding, ...] = (TRAINER, GDM)
) -> list[Verdict]:
    free = free_mib * MIB
    return node.take(GpuHeadroomRead(node.at(), UUID, 15360 * MIB, free, (GDM,), holdings, ended))


def test_a_gpu_is_found_lost_and_back() -> None:
    node = Node()
    node.start()

    assert [GpuFound(UUID, "Tesla T4", "535.247.01")] == seen(node, WELL)
    assert [GpuLost(UUID, "Tesla T4", "GPU is lost")] == seen(node, LOST)
    assert [] == seen(node, LOST), "once"
    assert [GpuReturned(UUID, "Tesla T4")] == seen(node, WELL)


def test_one_that_is_listed_no_more_is_lost_with_what_is_said_of_the_nameless(node: Node) -> None:
    assert [GpuLost(UUID, "Tesla T4", "no answer")] == seen(node, SeenGpu("", "", "no answer"))
    assert [GpuReturned(UUID, "Tesla T4")] == seen(node, WELL)
    assert [GpuLost(UUID, "Tesla T4", "NVML lists it no more")] == seen(node)


def test_a_fault_of_a_program_is_another_event_than_one_of_the_hardware(node: Node) -> None:
    (program,) = node.take(GpuXidSeen(node.at(), UUID, 31, 2))
    (hardware,) = node.take(GpuXidSeen(node.at(), UUID, 79, 1))

    assert isinstance(program, GpuProgramFault)
    assert (31, 2) == (program.xid, program.total)
    assert isinstance(hardware, GpuHardwareFault)
    assert "the GPU has fallen off the bus" == hardware.meaning
    assert {"31": 2, "79": 1} == gpu(node).xids_total


def test_a_storm_of_faults_is_counted_and_told_now_and_then(node: Node) -> None:
    told = [v for _ in range(119) for v in node.take(GpuXidSeen(node.at(), UUID, 13, 10))]

    assert [10, 610] == [v.total for v in told if isinstance(v, GpuProgramFault)]
    assert {"13": 1190} == gpu(node).xids_total


def test_a_code_that_nobody_knows_is_told_as_well(node: Node) -> None:
    (told,) = node.take(GpuXidSeen(node.at(), UUID, 999, 1))

    assert isinstance(told, GpuHardwareFault)
    assert "see NVIDIA's list of Xid errors" == told.meaning


def test_head_room_that_runs_out_is_an_incident_with_its_holders(node: Node) -> None:
    (told,) = headroom(node, 100)

    assert isinstance(told, GpuHeadroomOut)
    assert (100, 15360) == (told.free_mib, told.total_mib)
    assert "ml/trainer-0/train, process 4711 (python): 9000 MiB" == told.holders[0]
    assert ("gdm.service, process 812 (Xorg): 60 MiB",) == told.before
    (incident,) = gpu(node).incidents
    assert ((TRAINER, GDM), (GDM,), None) == (
        incident.holdings,
        incident.before,
        incident.closed,
    )


def test_who_ends_then_is_the_likely_victim(node: Node) -> None:
    headroom(node, 100)

    told = headroom(node, 9100, TRAINER, holdings=(GDM,))

    words = "ml/trainer-0/train, process 4711 (python): 9000 MiB"
    assert [GpuVictimSeen(UUID, "Tesla T4", words, 9000)] == told
    assert TRAINER == gpu(node).incidents[0].victims[0].holding


def test_an_end_a_moment_after_head_room_is_back_still_counts(node: Node) -> None:
    headroom(node, 100)
    headroom(node, 5000)

    (told,) = headroom(node, 5000, GDM)

    assert isinstance(told, GpuVictimSeen)


def test_an_end_without_an_incident_is_nobodys_business(node: Node) -> None:
    assert [] == headroom(node, 5000, TRAINER)


def test_it_is_over_when_there_was_head_room_for_a_while(node: Node) -> None:
    headroom(node, 100)
    headroom(node, 40)
    headroom(node, 300)
    assert gpu(node).is_low, "a little more than the limit is not enough"

    headroom(node, 2000)
    (wake,) = [output for output in node.outputs if isinstance(output, Wake)]
    told = node.take(TimeReached(node.at(), wake.topic))

    assert [GpuHeadroomBack(UUID, "Tesla T4", 40, 4)] == told
    assert gpu(node).incidents[0].closed is not None


def test_head_room_that_is_gone_again_within_the_while_goes_on_with_the_incident(
    node: Node,
) -> None:
    headroom(node, 100)
    headroom(node, 2000)
    assert [] == headroom(node, 90)

    assert [] == node.take(TimeReached(node.at(), f"gpu:{UUID}"))
    assert 1 == len(gpu(node).incidents)


def test_a_configuration_may_ask_for_none() -> None:
    node = Node()
    node.policy = replace(node.policy, gpu=replace(node.policy.gpu, headroom_bytes=0))
    node.start()
    seen(node, WELL)

    assert [] == headroom(node, 0)


def test_counts_and_incidents_outlive_the_daemon_and_nobody_watched_the_end(node: Node) -> None:
    headroom(node, 100)
    node.take(GpuXidSeen(node.at(), UUID, 31, 2))
    after = Node()
    after.start(durable_of(node.state))

    assert {"31": 2} == gpu(after).xids_total
    assert gpu(after).incidents[0].closed is not None
    assert [] == seen(after, WELL), "it is not found anew"


def test_a_gpu_that_was_lost_and_then_taken_out_is_forgotten_with_a_boot(node: Node) -> None:
    seen(node, LOST)
    same, other = Node(), Node()
    same.start(durable_of(node.state))
    other.start(durable_of(node.state), boot_id="boot-2")

    assert [UUID] == list(same.state.gpu.gpus)
    assert [] == list(other.state.gpu.gpus)


def test_a_sampler_that_ends_is_told_by_reason_and_not_every_minute(node: Node) -> None:
    def ended(reason: str, seconds: float | None) -> list[Verdict]:
        return node.take(GpuSamplerEnded(node.at(), reason, "words", seconds))  # type: ignore[arg-type]

    assert [GpuSamplerRestarted("crash", "words", "in 1 s")] == ended("crash", 1.0)
    assert [] == ended("crash", 2.0)
    assert [GpuSamplerRestarted("deadline", "words", "once it has ended")] == ended(
        "deadline", None
    )
    assert {"crash": 2, "deadline": 1} == node.state.gpu.restarts_total


def test_what_people_order_is_told(node: Node) -> None:
    assert [GpuReleased(60)] == node.take(GpuReleaseRequested(node.at(), 60))
    assert [GpuTakenUp()] == node.take(GpuReleaseRequested(node.at(), 0))
    spoiled = node.take(GpuPeaksSpoiled(node.at(), "/x.set-aside", "damaged"))
    assert [StateSetAside("/x.set-aside", "damaged")] == spoiled
    assert {} == node.state.observe_because, "peaks are no budget"


# --- what of the samples is told at all -------------------------------------------------------


class Samples:
    """Samples, a second apart, through what picks the facts out."""

    def __init__(self) -> None:
        self.noticed, self.node = gpu_notice.Noticed(), Node()

    def take(self, free_mib: int, *holdings: Holding, failure: str = "") -> list[object]:
        reading = GpuReading(
            UUID, "Tesla T4", failure, total_bytes=15360 * MIB, free_bytes=free_mib * MIB
        )
        sample = GpuSample(self.node.at(), "535", (reading,), {UUID: holdings})
        self.noticed, facts = gpu_notice.notice(self.noticed, sample, 256 * MIB)
        return list(facts)


def test_samples_without_a_change_are_no_facts() -> None:
    samples = Samples()
    (first,) = samples.take(5000, TRAINER)

    assert isinstance(first, GpusSeen)
    assert [] == [fact for _ in range(100) for fact in samples.take(5000, TRAINER)]
    (lost,) = samples.take(0, failure="GPU is lost")
    assert isinstance(lost, GpusSeen)
    assert "GPU is lost" == lost.gpus[0].failure


def test_the_crossing_of_the_limit_is_told_with_the_holders_before_and_now() -> None:
    samples = Samples()
    samples.take(5000, GDM)

    (fact,) = samples.take(100, GDM, TRAINER)

    assert isinstance(fact, GpuHeadroomRead)
    assert ((GDM,), (TRAINER, GDM), ()) == (fact.before, fact.holdings, fact.ended)
    assert [] == samples.take(90, GDM, TRAINER)


def test_an_end_is_told_while_it_is_full_and_for_a_while_afterwards() -> None:
    samples = Samples()
    samples.take(5000, GDM, TRAINER)
    assert [] == samples.take(5000, GDM), "an end that has nothing to do with it"
    samples.take(100, GDM, TRAINER)

    (both,) = samples.take(9000, GDM)

    assert isinstance(both, GpuHeadroomRead)
    assert ((TRAINER,), 9000 * MIB) == (both.ended, both.free_bytes)
    late = [fact for _ in range(10) for fact in samples.take(9000)]
    assert [(GDM,)] == [fact.ended for fact in late if isinstance(fact, GpuHeadroomRead)]


def test_ends_in_a_row_are_told_together() -> None:
    samples = Samples()
    samples.take(5000)
    processes = [replace(TRAINER, process=replace(TRAINER.process, pid=pid)) for pid in range(20)]
    samples.take(100, *processes[:8])
    facts = [
        fact
        for ended in range(1, 9)
        for fact in samples.take(100, *processes[ended:8])
        if isinstance(fact, GpuHeadroomRead)
    ]

    assert len(facts) <= 2
    facts += [f for _ in range(5) for f in samples.take(100) if isinstance(f, GpuHeadroomRead)]
    assert processes[:8] == [holding for fact in facts for holding in fact.ended]


def test_faults_of_one_sample_are_told_by_kind() -> None:
    node = Node()
    xids = (GpuXid(UUID, 13), GpuXid(UUID, 79), GpuXid(UUID, 13))

    facts = gpu_notice.faults(node.at(), xids)

    assert [(13, 2), (79, 1)] == [(f.xid, f.count) for f in facts if isinstance(f, GpuXidSeen)]


def test_what_is_told_of_a_thousand_samples_is_bounded() -> None:
    samples = Samples()
    told = 0
    for second in range(1000):
        process = replace(TRAINER, process=replace(TRAINER.process, pid=second))
        told += len(samples.take(100, process))

    assert told <= 1 + 1 + 1000 // gpu_notice.QUIET_SECONDS
