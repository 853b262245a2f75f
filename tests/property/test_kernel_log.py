"""Whatever bytes come out of the kernel's log: they are survived, and told as what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.kernel_log import KERNEL_CLASSES
from agent.observe import kernel_log
from tests.unit.observe.kmsg import PROPERTIES, Kmsg

LINES = (
    "r8152 4-1:1.0 eth0: v1.12.13",
    "r8152 4-1:1.0 enx6c1ff71be8c8: carrier on",
    "r8152-cfgselector 4-1: reset SuperSpeed USB device number 2 using vhci_hcd",
    "NETDEV WATCHDOG: eth1 (r8152): transmit queue 0 timed out",
)
RECORDS = st.builds(
    lambda sequence, text: f"6,{sequence},{sequence}99,-,caller=T1;{text}\n{PROPERTIES}".encode(),
    st.integers(-5, 10**6),
    st.one_of(st.sampled_from(LINES), st.text(max_size=30)),
)
BROKEN = st.one_of(
    RECORDS,
    st.binary(max_size=60),
    st.builds(lambda whole, end: whole[:end], RECORDS, st.integers(0, 60)),
)


@given(st.lists(BROKEN, max_size=20), st.one_of(st.none(), st.integers(0, 100)))
def test_any_bytes_are_survived_and_told_as_what_they_are(
    records: list[bytes], after: int | None
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        kmsg = Kmsg(monkeypatch)
        for record in records:
            kmsg.write_raw(record)
        kmsg.log.follow(after)
        told = kmsg.told()
    if told is None:
        return
    assert isinstance(told.last_sequence, int)
    assert told.lost >= 0
    for message in told.messages:
        assert message.message_class in KERNEL_CLASSES
        assert 1 <= message.count <= len(records)
        assert message.sequence <= told.last_sequence
        assert isinstance(message.boottime_ns, int)
        assert len(message.text) <= kernel_log.TEXT_CHARACTERS_MAX


@given(st.lists(st.sampled_from(LINES), max_size=60), st.lists(st.integers(0, 12)))
def test_every_record_is_either_told_or_counted_as_lost(
    lines: list[str], bursts: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        kmsg = Kmsg(monkeypatch, records_max=8)
        monkeypatch.setattr(kernel_log, "classify", lambda _line: ("usb_reset", "usb:4-1"))
        kmsg.log.follow(-1)
        left, seen, lost = list(lines), 0, 0
        for burst in [*bursts, len(lines)]:
            kmsg.write(*left[:burst])
            del left[:burst]
            if told := kmsg.told():
                seen += sum(message.count for message in told.messages)
                lost += told.lost
                assert kmsg.next_sequence - 1 == told.last_sequence

    assert len(lines) == seen + lost
