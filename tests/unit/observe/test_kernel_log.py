"""The kernel's log, read record by record: nothing twice, nothing lost unsaid."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agent.model.facts import KernelLogRead
from agent.model.kernel_log import KernelMessage
from agent.observe import kernel_log
from agent.observe.kernel_log import RETRY_SECONDS, KernelLog
from tests.unit.observe.kmsg import SECOND_NS, SUSPENDED_SECONDS, Kmsg

BOUND = "r8152 4-1:1.0 eth0: v1.12.13"
CARRIER = "r8152 4-1:1.0 enx6c1ff71be8c8: carrier on"
RESET = "r8152-cfgselector 4-1: reset SuperSpeed USB device number 2 using vhci_hcd"
RESET_OTHER = "r8152-cfgselector 2-1: reset SuperSpeed USB device number 3 using xhci_hcd"
GONE = "r8152-cfgselector 4-1: USB disconnect, device number 2"


@pytest.fixture
def kmsg(monkeypatch: pytest.MonkeyPatch) -> Kmsg:
    kmsg = Kmsg(monkeypatch)
    kmsg.log.follow(None)
    return kmsg


def test_a_message(kmsg: Kmsg) -> None:
    kmsg.write(CARRIER, RESET, CARRIER, seconds=29.5)

    written_ns = round((29.5 + SUSPENDED_SECONDS) * SECOND_NS)
    message = KernelMessage("usb_reset", "usb:4-1", 1, 1, written_ns, RESET)
    assert KernelLogRead(kmsg.stamp(), 2, 0, (message,)) == kmsg.told()


def test_what_is_written_while_it_is_followed_has_the_time_of_its_reading(kmsg: Kmsg) -> None:
    kmsg.told()
    kmsg.write(RESET, seconds=29.5)

    (message,) = kmsg.messages()
    assert kmsg.stamp().boottime_ns == message.boottime_ns


def test_no_message_is_of_the_future(kmsg: Kmsg) -> None:
    kmsg.write(RESET, seconds=1e9)

    (message,) = kmsg.messages()
    assert kmsg.stamp().boottime_ns == message.boottime_ns


def test_equal_messages_are_told_together(kmsg: Kmsg) -> None:
    kmsg.write(*[RESET] * 500, RESET_OTHER)

    (first, other) = kmsg.messages()
    assert ("usb:4-1", 500, 499) == (first.subject, first.count, first.sequence)
    assert ("usb:2-1", 1, 500) == (other.subject, other.count, other.sequence)


def test_messages_stand_in_the_order_of_their_last(kmsg: Kmsg) -> None:
    kmsg.write(RESET, GONE, BOUND, GONE, RESET)

    found = [(message.message_class, message.sequence) for message in kmsg.messages()]
    assert [("driver_bound", 2), ("usb_disconnect", 3), ("usb_reset", 4)] == found


def test_each_reading_counts_anew(kmsg: Kmsg) -> None:
    for _ in range(2):
        kmsg.write(RESET)
        assert [1] == [message.count for message in kmsg.messages()]


def test_a_long_text_is_cut(kmsg: Kmsg) -> None:
    kmsg.write(RESET + "!" * 1000)

    (message,) = kmsg.messages()
    assert RESET == message.text[: len(RESET)]
    assert kernel_log.TEXT_CHARACTERS_MAX == len(message.text)


def test_a_record_of_the_greatest_size_is_read(kmsg: Kmsg) -> None:
    start = f"6,0,0,-;{RESET}\n".encode()
    kmsg.write_raw(start.ljust(kernel_log.RECORD_BYTES_MAX, b"\n"))

    assert 1 == len(kmsg.messages())


def test_it_goes_on_after_a_number_without_gap_or_repetition(kmsg: Kmsg) -> None:
    kmsg.write(*[RESET] * 10)
    kmsg.log.follow(6)

    told = kmsg.told()
    assert told is not None
    assert (9, 0) == (told.last_sequence, told.lost)
    assert [3] == [message.count for message in told.messages]


def test_nothing_new_since_a_number_is_told_once(kmsg: Kmsg) -> None:
    """Whoever asks the adapter waits until the log is taken in, also where it says nothing."""
    kmsg.write(*[RESET] * 10)
    kmsg.log.follow(9)
    told = kmsg.told()

    assert told is not None
    assert (9, 0, ()) == (told.last_sequence, told.lost, told.messages)
    assert kmsg.told() is None


def test_a_quiet_log_wakes_nobody(kmsg: Kmsg) -> None:
    kmsg.write(RESET)
    kmsg.told()
    assert kmsg.log.rest_seconds() > 0
    assert kmsg.told() is None
    assert 0.0 == kmsg.log.rest_seconds()
    assert kmsg.log.fileno() is not None


def test_what_a_program_writes_there_is_not_the_kernels_word(kmsg: Kmsg) -> None:
    kmsg.write_raw(f"14,0,5,-;{RESET}\n".encode())

    told = kmsg.told()

    assert told is not None
    assert (0, 0, ()) == (told.last_sequence, told.lost, told.messages)


def test_what_was_overwritten_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    kmsg = Kmsg(monkeypatch, records_max=10)
    kmsg.log.follow(None)
    kmsg.write(CARRIER)
    kmsg.told()
    kmsg.write(*[RESET] * 25)

    told = kmsg.told()
    assert told is not None
    assert (25, 15) == (told.last_sequence, told.lost)
    assert [10] == [message.count for message in told.messages]


@pytest.mark.parametrize(("after", "lost"), [(None, 0), (3, 11), (13, 1), (14, 0)])
def test_what_was_overwritten_before_the_first_reading_is_counted(
    monkeypatch: pytest.MonkeyPatch, after: int | None, lost: int
) -> None:
    kmsg = Kmsg(monkeypatch, records_max=10)
    kmsg.write(*[RESET] * 25)
    kmsg.log.follow(after)

    told = kmsg.told()
    assert told is not None
    assert lost == told.lost


def test_a_loss_is_told_without_a_message_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    kmsg = Kmsg(monkeypatch, records_max=10)
    kmsg.write(*[CARRIER] * 12)
    kmsg.log.follow(0)

    assert KernelLogRead(kmsg.stamp(), 11, 1, ()) == kmsg.told()


def test_progress_is_told_now_and_then_without_a_message_for_us(kmsg: Kmsg) -> None:
    kmsg.write(RESET)
    assert kmsg.told() is not None
    kmsg.write(CARRIER)
    assert kmsg.told() is None
    kmsg.seconds += kernel_log.PROGRESS_SECONDS

    assert KernelLogRead(kmsg.stamp(), 1, 0, ()) == kmsg.told()
    kmsg.seconds += kernel_log.PROGRESS_SECONDS
    assert kmsg.told() is None, "no progress since"


def test_it_rests_after_a_reading(kmsg: Kmsg) -> None:
    assert 9 == kmsg.log.fileno()
    kmsg.write(RESET)
    kmsg.told()
    kmsg.write(RESET)

    assert kmsg.log.fileno() is None
    assert [] == kmsg.log.read()
    assert kernel_log.REST_SECONDS == pytest.approx(kmsg.log.rest_seconds())
    kmsg.seconds += kernel_log.REST_SECONDS * 1.01
    assert 0.0 == kmsg.log.rest_seconds()
    assert 9 == kmsg.log.fileno()
    assert 1 == len(kmsg.messages())


def test_a_reading_is_bounded_and_the_next_follows_without_rest(kmsg: Kmsg) -> None:
    kmsg.write(*[RESET] * (kernel_log.RECORDS_PER_READ_MAX + 3))

    assert [kernel_log.RECORDS_PER_READ_MAX] == [message.count for message in kmsg.messages()]
    assert 9 == kmsg.log.fileno()
    assert [3] == [message.count for message in kmsg.messages()]


def test_nothing_is_read_before_it_is_told_from_where(monkeypatch: pytest.MonkeyPatch) -> None:
    kmsg = Kmsg(monkeypatch)
    kmsg.write(RESET)

    assert kmsg.log.fileno() is None
    assert kmsg.told() is None
    kmsg.log.follow(None)
    assert 1 == len(kmsg.messages())


def test_a_log_that_cannot_be_opened_is_missing(tmp_path: Path) -> None:
    log = KernelLog(tmp_path / "kmsg")
    log.follow(None)

    assert f"the kernel's log ({tmp_path}/kmsg) cannot be read: No such file" in str(log.missing)
    assert log.fileno() is None
    assert [] == log.read()
    log.close()


def test_it_is_closed_once(kmsg: Kmsg) -> None:
    kmsg.log.close()
    kmsg.log.close()

    assert [9] == kmsg.closed
    assert kmsg.log.fileno() is None
    assert kmsg.told() is None


def test_a_failure_is_told_in_words_until_it_can_be_read_again(kmsg: Kmsg) -> None:
    kmsg.write(RESET)
    assert 1 == len(kmsg.messages())
    kmsg.fault = OSError(errno.EIO, "Input/output error")
    assert kmsg.told() is None
    assert "/dev/kmsg: Input/output error" == kmsg.log.failure
    assert ([9], None) == (kmsg.closed, kmsg.log.fileno())

    kmsg.fault = None
    kmsg.write(RESET)
    assert () == kmsg.messages(), "it is not opened anew at every turn"
    kmsg.seconds += RETRY_SECONDS
    assert [1] == [message.count for message in kmsg.messages()], "and nothing is read twice"
    assert kmsg.log.failure is None


@pytest.mark.parametrize("record", [b"\n", b";", b"6,1", b"6,x,0,-;", b"6,1,,-;" + RESET.encode()])
def test_a_malformed_record_is_passed_over_and_counts_as_lost(kmsg: Kmsg, record: bytes) -> None:
    kmsg.write(RESET)
    kmsg.write_raw(record)
    kmsg.write(RESET)

    told = kmsg.told()
    assert told is not None
    assert (2, 1) == (told.last_sequence, told.lost)
    assert [2] == [message.count for message in told.messages]
