"""From samples to shares and peaks: pure, and sums always add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.gpu_memory import PEAKS_MAX, memory, named, remember
from agent.model.gpu import GpuHistory, GpuProcess, GpuReading, GpuSample, Holder, Holding, Peak
from agent.model.identity import Stamp
from agent.model.policy import GpuPolicy

MIB = 1024 * 1024
TOTAL = 15360 * MIB
RESERVED = 448 * MIB
GPU = "GPU-1"
TRAINER = Holder("", "uid-1", "ml", "trainer-0", "train")
NOTEBOOK = Holder("", "uid-2", "ml", "notebook", "jupyter")
GDM = Holder(unit="gdm.service")
POLICY = GpuPolicy()


def holding(holder: Holder, mib: int | None, pid: int = 1, peak: int | None = None) -> Holding:
    used, highest = (None if value is None else value * MIB for value in (mib, peak))
    return Holding(GpuProcess(pid, pid, "python", used, highest), holder)


def sample(
    *holdings: Holding,
    used: int = 0,
    ended: tuple[Holding, ...] = (),
    pods: Iterable[str] | None = ("uid-1", "uid-2"),
    seconds: int = 1,
) -> GpuSample:
    reading = GpuReading(
        GPU,
        "Tesla T4",
        total_bytes=TOTAL,
        used_bytes=used * MIB,
        reserved_bytes=RESERVED,
        free_bytes=TOTAL - RESERVED - used * MIB,
    )
    here = None if pods is None else frozenset(pods)
    at = Stamp(seconds * 10**9, seconds * 10**9)
    return GpuSample(at, "535", (reading,), {GPU: holdings}, {GPU: ended}, here)


def peaks(history: GpuHistory) -> dict[str, int]:
    return {peak.holder.pod: peak.peak_bytes // MIB for peak in history.peaks.values()}


def lived(*samples: GpuSample, history: GpuHistory | None = None) -> GpuHistory:
    history = history or GpuHistory()
    for each in samples:
        history = remember(history, each)
    return history


def test_a_peak_is_the_most_that_a_pods_processes_held_at_once() -> None:
    history = lived(
        sample(holding(TRAINER, 1000, 1), holding(TRAINER, 2000, 2)),
        sample(holding(TRAINER, 2500, 1)),
        sample(holding(TRAINER, 10, 1)),
    )

    assert {"trainer-0": 3000} == peaks(history)


def test_accounting_raises_a_peak_to_the_largest_process_and_no_further() -> None:
    both = sample(holding(TRAINER, 100, 1, peak=900), holding(TRAINER, 100, 2, peak=800))

    assert {"trainer-0": 900} == peaks(lived(both)), "whether both came at once nobody knows"


def test_accounting_tells_of_a_process_that_ended_between_two_samples() -> None:
    gone = holding(TRAINER, None, 1, peak=5000)

    assert {"trainer-0": 5000} == peaks(lived(sample(ended=(gone,))))


def test_a_peak_stays_while_the_pod_is_there_and_goes_with_it() -> None:
    seen = lived(sample(holding(TRAINER, 1000)), sample())
    assert {"trainer-0": 1000} == peaks(seen)

    assert {} == peaks(lived(sample(pods=("uid-2",)), history=seen))


def test_a_deleted_pod_whose_process_lives_keeps_its_peak() -> None:
    seen = lived(sample(holding(TRAINER, 1000)), sample(holding(TRAINER, 10), pods=()))

    assert {"trainer-0": 1000} == peaks(seen)


def test_where_it_cannot_be_told_which_pods_there_are_no_peak_is_dropped() -> None:
    assert {"trainer-0": 1000} == peaks(lived(sample(holding(TRAINER, 1000)), sample(pods=None)))


def test_a_sample_without_news_is_the_same_history() -> None:
    history = lived(sample(holding(TRAINER, 1000)))

    assert history is remember(history, sample(holding(TRAINER, 900), seconds=9))


def test_peaks_are_bounded_and_the_oldest_of_the_idle_go_first() -> None:
    known = {
        f"{GPU}/uid-{n}/c": Peak(GPU, Holder("", f"uid-{n}", "ml", f"p{n}", "c"), MIB, n)
        for n in range(PEAKS_MAX)
    }
    first = next(iter(known.values()))
    after = remember(
        GpuHistory(known), sample(holding(first.holder, 1, 1), holding(TRAINER, 1, 2), pods=None)
    )

    assert PEAKS_MAX == len(after.peaks)
    assert {"p0", "trainer-0"} <= peaks(after).keys(), "those in use stay"
    assert "p1" not in peaks(after)


def test_a_lost_gpu_keeps_its_peaks() -> None:
    history = lived(sample(holding(TRAINER, 1000)))
    lost = replace(sample(), readings=(GpuReading(GPU, failure="GPU is lost"),), holdings={})

    assert {"trainer-0": 1000} == peaks(remember(history, lost))


def test_names_that_are_on_no_disk_any_more_are_remembered() -> None:
    history = lived(sample(holding(TRAINER, 1000)))
    nameless = sample(holding(Holder(pod_uid="uid-1"), 500))

    (found,) = named(history, nameless).holdings[GPU]

    assert TRAINER == found.holder


def test_of_several_containers_it_is_not_guessed_which() -> None:
    second = replace(TRAINER, container="sidecar")
    history = lived(sample(holding(TRAINER, 1, 1), holding(second, 1, 2)))

    (found,) = named(history, sample(holding(Holder(pod_uid="uid-1"), 5))).holdings[GPU]

    assert ("trainer-0", "") == (found.holder.pod, found.holder.container)


def test_shares_the_largest_first_and_who_let_go_last() -> None:
    history = lived(sample(holding(NOTEBOOK, 2000)))
    now = sample(
        holding(GDM, 60, 1), holding(TRAINER, 1000, 2), holding(TRAINER, 500, 3), used=1580
    )

    (gpu,) = memory(history, now, replace(POLICY, replicas=4))

    assert [TRAINER, GDM, NOTEBOOK] == [share.holder for share in gpu.shares]
    assert [(1500 * MIB, 2), (60 * MIB, 1), (None, 0)] == [
        (share.used_bytes, share.processes) for share in gpu.shares
    ]
    assert 2000 * MIB == gpu.shares[2].peak_bytes
    assert (20 * MIB, 3840 * MIB) == (gpu.unattributed_bytes, gpu.fair_share_bytes)


def test_unattributed_is_absent_where_it_cannot_be_known() -> None:
    na = sample(holding(TRAINER, None), used=500)
    (gpu,) = memory(GpuHistory(), na, POLICY)
    assert (None, None) == (gpu.unattributed_bytes, gpu.shares[0].used_bytes)

    known = sample(holding(TRAINER, 100), used=500)
    for change in ({"reserved_bytes": None}, {"is_listed": False}):
        (reading,) = known.readings
        changed = replace(known, readings=(replace(reading, **change),))
        (gpu,) = memory(GpuHistory(), changed, POLICY)
        assert gpu.unattributed_bytes is None


def test_what_ended_between_the_list_and_the_sum_makes_nothing_negative() -> None:
    (gpu,) = memory(GpuHistory(), sample(holding(TRAINER, 600), used=500), POLICY)

    assert 0 == gpu.unattributed_bytes


def test_replicas_are_the_configurations_or_the_kubelets() -> None:
    of_kubelet = replace(sample(), replicas={GPU: 4})
    of_plugin = replace(sample(), replicas={"": 3})

    assert [4, 3, None] == [
        memory(GpuHistory(), each, POLICY)[0].replicas for each in (of_kubelet, of_plugin, sample())
    ]
    assert 2 == memory(GpuHistory(), of_kubelet, replace(POLICY, replicas=2))[0].replicas


HOLDERS = st.sampled_from([TRAINER, NOTEBOOK, GDM, Holder(pod_uid="uid-3")])
HOLDINGS = st.lists(st.tuples(HOLDERS, st.integers(0, 300)), max_size=40)


@given(HOLDINGS, st.integers(0, 500))
def test_the_parts_are_the_whole(found: list[tuple[Holder, int]], more: int) -> None:
    holdings = [holding(holder, mib, pid) for pid, (holder, mib) in enumerate(found)]
    used = sum(mib for _, mib in found) + more
    now = sample(*holdings, used=used)

    (gpu,) = memory(remember(GpuHistory(), now), now, POLICY)

    parts = sum(share.used_bytes or 0 for share in gpu.shares) + (gpu.unattributed_bytes or 0)
    assert used * MIB == parts
    assert len(found) == sum(share.processes for share in gpu.shares) == len(gpu.processes)
