"""Questions are answered from a thread, and one that hangs is given up in words."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.facts import Fact, LinksListed, PlugRead, ReadFailed, UsbTreeRead
from agent.model.identity import UsbDevice
from agent.model.outputs import ListLinks, ReadAdapter, ReadPlug, ReadUsbTree
from agent.model.usb_tree import UsbTree
from agent.observe import inquiry as inquiry_module
from agent.observe.inquiry import Inquiry
from tests.builders import CONNECTOR, LINK

Answers = queue.Queue[Fact]


class Hang:
    """A reading that blocks as one does while the kernel holds RTNL."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def __call__(self, _timeout_seconds: float) -> tuple[object, ...]:
        self.entered.set()
        self.release.wait(30)
        return (LINK,)


@pytest.fixture
def answers() -> Answers:
    return queue.Queue()


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    hang = Hang()
    monkeypatch.setattr("agent.observe.rtnetlink.list_links", hang)
    yield hang
    hang.release.set()


def test_links_are_listed_under_the_number_asked_for(
    answers: Answers, hang: Hang, tmp_path: Path
) -> None:
    inquiry = Inquiry(answers.put, tmp_path)
    inquiry.ask(ListLinks(7))
    hang.release.set()
    answer = answers.get(timeout=10)

    assert isinstance(answer, LinksListed)
    assert (7, (LINK,)) == (answer.number, answer.links)
    inquiry.close()


def test_a_plug_is_read_under_the_connector_asked_for(answers: Answers, tmp_path: Path) -> None:
    usb = tmp_path / "sys/bus/usb/devices/1-1"
    usb.mkdir(parents=True)
    for name, value in (("devnum", "9"), ("idVendor", "0bda"), ("idProduct", "8151")):
        (usb / name).write_text(f"{value}\n")
    inquiry = Inquiry(answers.put, tmp_path)
    inquiry.ask(ReadPlug(CONNECTOR, "2-1", "1-1"))
    answer = answers.get(timeout=10)

    assert isinstance(answer, PlugRead)
    assert (CONNECTOR, UsbDevice("1-1", 9, "0bda", "8151", (), has_link=False)) == (
        answer.connector,
        answer.found,
    )
    inquiry.close()


def test_a_plug_in_an_unreadable_sys_is_not_called_empty(answers: Answers, tmp_path: Path) -> None:
    inquiry = Inquiry(answers.put, tmp_path)
    question = ReadPlug(CONNECTOR, "2-1", "1-1")
    inquiry.ask(question)
    answer = answers.get(timeout=10)

    assert isinstance(answer, ReadFailed)
    assert question == answer.question
    inquiry.close()


def test_an_unreadable_adapter_is_a_failed_reading(answers: Answers, tmp_path: Path) -> None:
    inquiry = Inquiry(answers.put, tmp_path)
    question = ReadAdapter(3, "enx1")
    inquiry.ask(question)
    answer = answers.get(timeout=10)

    assert isinstance(answer, ReadFailed)
    assert question == answer.question
    assert "No such file" in answer.reason
    inquiry.close()


def test_an_overdue_question_is_given_up_once_and_its_late_answer_is_welcome(
    answers: Answers, hang: Hang, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiry_module, "DEADLINE_SECONDS", 0.0)
    inquiry = Inquiry(answers.put, tmp_path)
    inquiry.ask(ListLinks(1))
    assert hang.entered.wait(10)

    assert "the kernel holds a lock" in (inquiry.check_deadline() or "")
    assert inquiry.check_deadline() is not None, "it is still hanging"
    failed = answers.get(timeout=10)
    assert isinstance(failed, ReadFailed)
    assert answers.empty(), "told once"

    hang.release.set()
    assert isinstance(answers.get(timeout=10), LinksListed)
    inquiry.close()
    assert inquiry.check_deadline() is None


def test_questions_are_bounded(answers: Answers, hang: Hang, tmp_path: Path) -> None:
    inquiry = Inquiry(answers.put, tmp_path)
    inquiry.ask(ListLinks(0))
    assert hang.entered.wait(10)
    for number in range(inquiry_module.QUESTIONS_MAX + 1):
        inquiry.ask(ListLinks(number))
    refused = answers.get(timeout=10)

    assert isinstance(refused, ReadFailed)
    assert "questions are waiting already" in refused.reason
    hang.release.set()
    listed = [answers.get(timeout=10) for _ in range(inquiry_module.QUESTIONS_MAX + 1)]
    assert all(isinstance(answer, LinksListed) for answer in listed), "the rest is answered"
    inquiry.close()


def test_a_usb_tree_that_hangs_holds_up_no_step(
    answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read for the record alone has a lane of its own."""
    hang = Hang()

    def read(_sysfs: Path) -> UsbTree:
        hang(0.0)
        return UsbTree((), ())

    monkeypatch.setattr(inquiry_module, "read_usb_tree", read)
    (tmp_path / "sys/bus/usb/devices").mkdir(parents=True)
    inquiry = Inquiry(answers.put, tmp_path)
    inquiry.ask(ReadUsbTree())
    assert hang.entered.wait(10)
    inquiry.ask(ReadPlug(CONNECTOR, "2-1", "1-1"))

    assert isinstance(answers.get(timeout=10), PlugRead)
    hang.release.set()
    assert isinstance(answers.get(timeout=10), UsbTreeRead)
    inquiry.close()


def test_a_usb_tree_that_hangs_with_its_device_is_no_failure_of_the_watch(
    answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, entered = threading.Event(), threading.Event()

    def hang(*_arguments: object) -> None:
        entered.set()
        release.wait(30)

    monkeypatch.setattr(inquiry_module, "DEADLINE_SECONDS", 0.0)
    monkeypatch.setattr(inquiry_module, "read_usb_tree", hang)
    inquiry = Inquiry(answers.put, tmp_path)
    inquiry.ask(ReadUsbTree())
    assert entered.wait(10)

    assert inquiry.check_deadline() is None
    assert isinstance(answers.get(timeout=10), ReadFailed), "whoever asked hears of it"
    release.set()
    inquiry.close()
